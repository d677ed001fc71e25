/** A download's job, asked of Atlas. */
import type { RestoreJobRef } from '../atlas/urls.ts';
import { type CommandAtlas, fetchJob } from '../command/atlas.ts';
import { DownloadError } from './errors.ts';
import type { JobLink } from './job.ts';
import { type LinkFields, readLink } from './link.ts';
import type { JobSource } from './source.ts';

/** `plainOrigin`: the one that may be asked without TLS. */
export const atlasSource = (atlas: CommandAtlas, ref: RestoreJobRef, plainOrigin: string | undefined): JobSource => ({
  look: async () => {
    const { job, authValue } = await fetchJob(atlas, ref);
    const link = linkOf({ ...job.delivery, authValue }, plainOrigin);
    return { groupId: ref.groupId, jobId: ref.jobId, content: job, link };
  },
  requestHash: () => Promise.resolve(),
});

function linkOf(fields: LinkFields, plainOrigin: string | undefined): JobLink {
  const read = readLink(fields, plainOrigin);
  switch (read.kind) {
    case 'link':
    case 'none':
      return read;
    case 'headerMissing':
      return refused('urlV2 has no header or no value of it');
    case 'unusable':
      return refused(read.problem);
  }
}

const refused = (problem: string): JobLink => ({
  kind: 'refused',
  error: new DownloadError('LINK_UNUSABLE', `The download that the job names cannot be used: ${problem}.`),
});
