/** A release of an earlier chart is upgraded to this one, as an administrator does it. */
import assert from 'node:assert/strict';
import path from 'node:path';
import * as z from 'zod';
import { CHART, Manifest, manifestId } from '../manifests.ts';

/** The two programs, on a cluster without the CustomResourceDefinition and with the namespaces `payments` and `orders`. */
export interface UpgradePrograms {
  readonly kubectl: (args: readonly string[], stdin?: string) => Promise<string>;
  readonly installWith: Helm;
  readonly upgradeWith: Helm;
}

/** Runs a Helm on the cluster; rejects with what it complained. */
export type Helm = (args: readonly string[], stdin?: string) => Promise<string>;

/** What many installations set. */
export const TYPICAL_VALUES = {
  namespaces: ['payments', 'orders'],
  commonLabels: { team: 'data' },
  settings: { logLevel: 'debug' },
  deliverySecrets: { enabled: true },
  networkPolicy: { enabled: true },
  extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' }],
};

/**
 * Rejects where Helm finds a conflict, or where an object of the release, a resource of a user or the new
 * CustomResourceDefinition is missing afterwards. Leaves the cluster as it was.
 */
export async function upgradeEarlierChart(programs: UpgradePrograms, values: object): Promise<void> {
  const { kubectl, installWith, upgradeWith } = programs;
  await installWith(
    ['install', RELEASE, EARLIER, '--create-namespace', '--values=-', NAMESPACE],
    JSON.stringify(values),
  );
  try {
    await kubectl(['wait', '--for=condition=Established', CRD, '--timeout=30s']);
    await kubectl(['apply', '--filename=-'], JSON.stringify(JOB));
    const before = await uidsOf(programs.kubectl, installWith);

    // As docs/install.md says.
    await upgradeWith(['upgrade', RELEASE, CHART, '--reset-then-reuse-values', NAMESPACE]);

    assert.deepEqual(await uidsOf(programs.kubectl, upgradeWith), before, 'an object was replaced or is gone');
    assert.match(
      await kubectl(['get', CRD, '--output=json']),
      /"failure"/,
      'the CustomResourceDefinition is the old one',
    );
  } finally {
    await upgradeWith(['uninstall', RELEASE, NAMESPACE]);
    // It is kept by default, and with it all resources.
    await kubectl(['delete', CRD, '--ignore-not-found']);
  }
}

/** As `helm package` made it of commit 47b92c6, before `failure`, lists, other APIs and most values of today. */
const EARLIER = path.join(import.meta.dirname, 'legacy-restore-operator-0.1.0.tgz');
const RELEASE = 'mirror';
const NAMESPACE = '--namespace=earlier-chart';
const CRD = 'crd/legacyrestorejobs.atlasrestore.dev';
const JOB = {
  apiVersion: 'atlasrestore.dev/v1',
  kind: 'LegacyRestoreJob',
  metadata: { name: 'kept', namespace: 'payments' },
  spec: { groupId: '5a66666887d9d61443b41645', clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' },
};

/** Of a user's resource and all objects of the release, by their names; rejects where one is missing. */
async function uidsOf(kubectl: UpgradePrograms['kubectl'], helm: Helm): Promise<ReadonlyMap<string, string>> {
  const manifest = `${await helm(['get', 'manifest', RELEASE, NAMESPACE])}\n---\n${JSON.stringify(JOB)}`;
  const found = Objects.parse(JSON.parse(await kubectl(['get', '--filename=-', '--output=json'], manifest)));
  return new Map(found.items.map((object) => [manifestId(object), object.metadata.uid]));
}

const Objects = z.object({
  items: z.array(Manifest.extend({ metadata: Manifest.shape.metadata.extend({ uid: z.string() }) })),
});
