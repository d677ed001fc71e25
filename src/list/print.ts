/** The listed restore jobs in the form that was asked for. */
import { serverName } from '../api/atlas-api.ts';
import { Spec } from '../api/legacy-restore-job.ts';
import { printable } from '../api/printable.ts';
import type { ListedJob } from '../atlas/list-response.ts';
import { safeJson, safeYaml } from '../command/structured.ts';
import { hiddenMembers, listed, otherForm, visibleJob } from '../command/visible-job.ts';
import { manifests } from './manifests.ts';
import type { ListOptions } from './options.ts';
import { jobTable } from './table.ts';

export type ListPrintOptions = Pick<
  ListOptions,
  'atlasApi' | 'ref' | 'status' | 'output' | 'showUrl' | 'credentialsSecret' | 'deliverySecrets'
>;

/** The whole text for standard output. */
export function printJobs(jobs: readonly ListedJob[], options: ListPrintOptions): string {
  switch (options.output) {
    case 'text':
      return jobTable(jobs);
    case 'json':
      return safeJson(
        jobs.map((job) => visibleJob(job, options.showUrl)),
        false,
      );
    case 'yaml':
      return safeYaml(jobs.map((job) => visibleJob(job, options.showUrl)));
    case 'name':
      return idsOf(jobs)
        .map((id) => `${id}\n`)
        .join('');
    case 'manifests':
      return manifests(idsOf(jobs), options);
  }
}

/** What is not in that text, for standard error: one sentence each. `all`: how many jobs Atlas listed. */
export function listRemarks(
  jobs: readonly ListedJob[],
  { all, unreadable }: { readonly all: number; readonly unreadable: number },
  options: ListPrintOptions,
): readonly string[] {
  return [
    ...(jobs.length === 0 ? [nothingListed(all, options)] : []),
    ...(unreadable > 0 ? [`left out, because they are no restore jobs or have no id: ${unreadable} entries`] : []),
    ...(options.output === 'json' || options.output === 'yaml'
      ? contentRemarks(jobs, options)
      : idRemarks(jobs, options)),
  ];
}

const isAtlasId = (id: string): boolean => Spec.shape.jobId.safeParse(id).success;

/** Scripts pass ids on, and manifests are applied: what is no id must not reach either. */
const idsOf = (jobs: readonly ListedJob[]): readonly string[] => jobs.map(({ id }) => id).filter(isAtlasId);

function nothingListed(all: number, { atlasApi, ref, status }: ListPrintOptions): string {
  const whose = ref.batchId === undefined ? 'this cluster' : 'this batch';
  if (all === 0 || status === undefined) return `${serverName(atlasApi)} lists no restore job of ${whose}`;
  return `no restore job of ${whose} has the status ${[...status].join(' or ')}; ${serverName(atlasApi)} lists ${all} with other ones`;
}

function idRemarks(jobs: readonly ListedJob[], { output }: ListPrintOptions): readonly string[] {
  const strange = jobs.length - idsOf(jobs).length;
  return output === 'text' || strange === 0
    ? []
    : [`left out, because their ids are not 24 digits of 0-9 and a-f: ${strange} jobs`];
}

const LONGEST_ID = 40;

function contentRemarks(jobs: readonly ListedJob[], { atlasApi, showUrl }: ListPrintOptions): readonly string[] {
  const dropped = jobs.flatMap((job) => job.dropped.map((path) => `${path} of ${printable(job.id, LONGEST_ID)}`));
  const cut = jobs.filter(({ job, hashCount }) => (job.hashes?.length ?? 0) < hashCount);
  const hidden = showUrl ? [] : [...new Set(jobs.flatMap(hiddenMembers))];
  return [
    ...(dropped.length > 0 ? [`${otherForm(serverName(atlasApi))}: ${listed(dropped)}`] : []),
    ...(cut.length > 0
      ? [`only the first hashes were read of ${listed(cut.map(({ id }) => printable(id, LONGEST_ID)))}`]
      : []),
    ...(hidden.length > 0 ? [`left out, because it opens the data: ${listed(hidden)}; --show-url shows it`] : []),
  ];
}
