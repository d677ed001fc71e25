/** A download's job as a LegacyRestoreJob mirrors it, and the download from its delivery Secret or its status. */
import { randomUUID } from 'node:crypto';
import { conditionOf, type LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import { printable } from '../api/printable.ts';
import { getLegacyRestoreJob, type ResourceName, requestReconcile } from '../controller/legacy-restore-jobs.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus, type KubeError } from '../kube/errors.ts';
import { getSecret } from '../kube/secrets.ts';
import { contentOf } from '../restore-job/content.ts';
import { hasUrl } from '../restore-job/state.ts';
import { DownloadError } from './errors.ts';
import type { JobLink } from './job.ts';
import { type LinkFields, readLink } from './link.ts';
import type { JobSource } from './source.ts';

/** `plainOrigin`: the one that may be asked without TLS. */
export function resourceSource(client: KubeClient, name: ResourceName, plainOrigin: string | undefined): JobSource {
  let mayRequest = true;
  return {
    look: async () => {
      const resource = await readResource(client, name);
      const { groupId, jobId } = resource.spec;
      const link = await linkOf(client, resource, plainOrigin);
      return { groupId, jobId, content: contentOf(resource.status), link, remark: remarkOf(resource) };
    },
    requestHash: async () => {
      if (!mayRequest) return;
      try {
        await requestReconcile(client, name, randomUUID());
      } catch (error) {
        if (!hasStatus(error, 403, 404)) throw error;
        // The default Role has no patch, because it would let the pod change all of spec.
        mayRequest = false;
      }
    },
  };
}

async function readResource(client: KubeClient, name: ResourceName): Promise<LegacyRestoreJob> {
  const called = `LegacyRestoreJob ${name.namespace}/${name.name}`;
  let resource: LegacyRestoreJob | undefined;
  try {
    resource = await getLegacyRestoreJob({ client, labelSelector: '' }, name);
  } catch (error) {
    throw refusal(error, called);
  }
  if (resource !== undefined) return resource;
  throw new DownloadError('RESOURCE_NOT_FOUND', `${called} does not exist, or its CRD is not one of this version.`);
}

async function linkOf(
  client: KubeClient,
  resource: LegacyRestoreJob,
  plainOrigin: string | undefined,
): Promise<JobLink> {
  const content = contentOf(resource.status);
  // Nothing is read before there is something to read: a Role can name the Secret before the operator creates it.
  if (!hasUrl(content)) return { kind: 'none' };
  const name = resource.spec.deliverySecretName;
  if (name !== undefined) return secretLink(client, resource, name, plainOrigin);
  const read = readLink(content.delivery ?? {}, plainOrigin);
  return read.kind === 'none' || read.kind === 'headerMissing'
    ? refused('LINK_WITHHELD', `The download is not in the status of the resource: set its spec.deliverySecretName.`)
    : usable(read);
}

async function secretLink(
  client: KubeClient,
  { namespace, uid }: LegacyRestoreJob,
  name: string,
  plainOrigin: string | undefined,
): Promise<JobLink> {
  const called = `Secret ${namespace}/${name}`;
  try {
    const { data, owners } = await getSecret(client, { namespace, name });
    if (!owners.includes(uid))
      return refused(
        'LINK_WITHHELD',
        `${called}, which spec.deliverySecretName names, does not belong to the resource: choose another name.`,
      );
    return usable(readLink(data satisfies LinkFields, plainOrigin));
  } catch (error) {
    if (!hasStatus(error, 404)) throw refusal(error, called);
    const message = `${called}, which spec.deliverySecretName names, does not exist yet. --wait waits for it.`;
    return { kind: 'missing', error: new DownloadError('SECRET_MISSING', message) };
  }
}

function usable(read: ReturnType<typeof readLink>): JobLink {
  switch (read.kind) {
    case 'link':
    case 'none':
      return read;
    case 'headerMissing':
      return refused('LINK_WITHHELD', 'The delivery Secret has urlV2 without authHeader and authValue, and no url.');
    case 'unusable':
      return refused('LINK_UNUSABLE', `The download of the resource cannot be used: ${read.problem}.`);
  }
}

const refused = (code: 'LINK_WITHHELD' | 'LINK_UNUSABLE', message: string): JobLink => ({
  kind: 'refused',
  error: new DownloadError(code, message),
});

/** The error as the command ends with it, where waiting is of no use. */
function refusal(error: unknown, called: string): unknown {
  if (hasStatus(error, 401, 403))
    return new DownloadError('RESOURCE_FORBIDDEN', `${called} may not be read: ${said(error)}`, error);
  return error;
}

const said = ({ statusMessage, message }: KubeError): string =>
  printable(statusMessage === '' ? message : statusMessage, MAX_SENTENCE);

const MAX_SENTENCE = 300;

/** Why the status may not be Atlas's last answer. */
function remarkOf({ status }: LegacyRestoreJob): string | undefined {
  const synced = conditionOf(status, 'Synced');
  if (synced === undefined) return 'The operator has not fetched the job yet.';
  return synced.status === 'True' ? undefined : `${synced.reason}: ${printable(synced.message, MAX_SENTENCE)}`;
}
