/** A reflector of LegacyRestoreJobs on a client of its own, and everything that it told. */
import { readFile } from 'node:fs/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { pino } from 'pino';
import { API_VERSION, KIND, type LegacyRestoreJob, PLURAL } from '../../src/api/legacy-restore-job.ts';
import { collectionPath, toLegacyRestoreJob } from '../../src/controller/legacy-restore-jobs.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { type Change, createReflector, type Reflector, type WatchCause } from '../../src/kube/reflector.ts';
import { createWatchLog } from '../../src/kube/watch-log.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';

export interface Watched {
  readonly reflector: Reflector<LegacyRestoreJob>;
  readonly changes: Change<LegacyRestoreJob>[];
  readonly interruptions: { readonly cause: WatchCause; readonly error: unknown; readonly waitMs: number }[];
  /** What the operator's log would have warned of. */
  readonly warnings: string[];
  /** Of all requests, with their queries. */
  readonly paths: string[];
  /** Resolves when it has ended and its connections are closed. */
  readonly end: () => Promise<void>;
}

export interface WatchOptions {
  readonly load: () => KubeConfig;
  /** All of them when absent. */
  readonly namespace?: string;
  /** Empty when absent. */
  readonly labelSelector?: string;
  readonly change?: (change: Change<LegacyRestoreJob>) => void;
  /** Comes between the reflector and the client. */
  readonly wrap?: (client: KubeClient) => KubeClient;
}

/** Starts it. */
export function watchResources({
  load,
  namespace,
  labelSelector = '',
  change,
  wrap = (client) => client,
}: WatchOptions): Watched {
  const client = createKubeClient({ load, userAgent: 'reflector-test' });
  const changes: Watched['changes'] = [];
  const interruptions: Watched['interruptions'] = [];
  const [warnings, paths]: [string[], string[]] = [[], []];
  const told = createWatchLog(
    pino({ level: 'warn' }, { write: (line) => warnings.push(JSON.parse(line).msg) }),
    { apiVersion: API_VERSION, kind: KIND, plural: PLURAL },
    namespace,
  );
  const observed: KubeClient = {
    ...client,
    request: (call) => {
      paths.push(call.path);
      return client.request(call);
    },
    stream: (path, signal) => {
      paths.push(path);
      return client.stream(path, signal);
    },
  };
  const reflector = createReflector({
    client: wrap(observed),
    path: collectionPath(namespace),
    labelSelector,
    listType: { apiVersion: API_VERSION, kind: `${KIND}List` },
    transform: toLegacyRestoreJob,
    onListed: () => undefined,
    onInterrupted: (cause, error, waitMs) => {
      interruptions.push({ cause, error, waitMs });
      told.interrupted(cause, error, waitMs);
    },
    onRecovered: told.recovered,
    onEndedEarly: () => undefined,
  });
  const stop = new AbortController();
  const ended = reflector.run(stop.signal, (next) => {
    changes.push(next);
    change?.(next);
  });
  return {
    reflector,
    changes,
    interruptions,
    warnings,
    paths,
    end: async () => {
      stop.abort(new Error('the test is over'));
      await ended;
      await client.close();
    },
  };
}

/** A client in which the API server refuses to stream lists, with the status of one that cannot. */
export const withoutWatchList = (client: KubeClient): KubeClient => ({
  ...client,
  stream: (path, signal) => client.stream(path.replace('NotOlderThan', 'Exact'), signal),
});

/** A kubeconfig, as text, of a service account that may do no more than a reflector does. */
export async function watcherKubeconfig(controlPlane: ControlPlane): Promise<string> {
  const role = ['--verb=get,list,watch', '--resource=legacyrestorejobs.atlasrestore.dev'];
  const binding = ['--clusterrole=watcher', '--serviceaccount=default:watcher'];
  await controlPlane.kubectlRun(['create', 'clusterrole', 'watcher', ...role]);
  await controlPlane.kubectlRun(['create', 'clusterrolebinding', 'watcher', ...binding]);
  return readFile(await controlPlane.serviceAccountKubeconfig('default', 'watcher'), 'utf8');
}
