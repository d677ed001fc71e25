/** Reading and writing Secrets, one by name: nothing here lists or watches them. */
import * as z from 'zod';
import type { KubeClient } from './client.ts';
import type { ObjectType } from './response.ts';

export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

export interface Secret {
  readonly uid: string;
  readonly resourceVersion: string;
  /** Decoded values. */
  readonly data: Readonly<Record<string, string>>;
  /** The uids of its owners. */
  readonly owners: readonly string[];
}

interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** Throws KubeError: 404 when there is none, 403 when it may not be read. */
export async function getSecret(client: KubeClient, secret: SecretName): Promise<Secret> {
  const response = await client.request({ method: 'GET', path: secretPath(secret), returns: SECRET });
  const { metadata, data } = Sent.parse(response);
  return {
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    data: Object.fromEntries(
      Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
    ),
    owners: (metadata.ownerReferences ?? []).map(({ uid }) => uid),
  };
}

/** Creates an Opaque Secret that goes when its owner goes. Throws KubeError: 409 when there is one of that name. */
export async function createSecret(
  client: KubeClient,
  { namespace, name }: SecretName,
  owner: OwnerReference,
  labels: Readonly<Record<string, string>>,
  data: Readonly<Record<string, string>>,
): Promise<void> {
  await client.request({
    method: 'POST',
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`,
    returns: SECRET,
    body: {
      ...SECRET,
      type: 'Opaque',
      // blockOwnerDeletion stays out: OpenShift refuses it to whoever may not set finalizers on the owner.
      metadata: { name, namespace, ownerReferences: [owner], labels },
      data: encoded(data),
    },
  });
}

/** Replaces the data of a Secret. Throws KubeError: 409 when it has changed since it was read. */
export async function replaceSecretData(
  client: KubeClient,
  name: SecretName,
  { resourceVersion }: Secret,
  data: Readonly<Record<string, string>>,
): Promise<void> {
  await client.request({
    method: 'PATCH',
    path: secretPath(name),
    returns: SECRET,
    contentType: 'application/json-patch+json',
    body: [
      { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
      { op: 'add', path: '/data', value: encoded(data) },
    ],
  });
}

const SECRET: ObjectType = { apiVersion: 'v1', kind: 'Secret' };

const secretPath = ({ namespace, name }: SecretName): string =>
  `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`;

const encoded = (data: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'utf8').toString('base64')]));

const Sent = z.object({
  metadata: z.object({
    uid: z.string(),
    resourceVersion: z.string(),
    ownerReferences: z.array(z.object({ uid: z.string() })).optional(),
  }),
  data: z.record(z.string(), z.string()).nullish(),
});
