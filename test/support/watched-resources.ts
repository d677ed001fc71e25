/** A reflector of LegacyRestoreJobs on a session of its own, and everything that it told. */
import { readFile } from 'node:fs/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { pino } from 'pino';
import { createInterruptionLog } from '../../src/kube/interruption-log.ts';
import { collectionPath, keepLegacyRestoreJob, type LegacyRestoreJob } from '../../src/kube/legacy-restore-jobs.ts';
import { type Change, createReflector, type Reflector, type WatchCause } from '../../src/kube/reflector.ts';
import { createSession, type KubeSession } from '../../src/kube/session.ts';
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
  readonly change?: (change: Change<LegacyRestoreJob>) => void;
  /** Comes between the reflector and the session. */
  readonly wrap?: (session: KubeSession) => KubeSession;
}

/** Starts it. */
export function watchResources({ load, namespace, change, wrap = (session) => session }: WatchOptions): Watched {
  const session = createSession({ load, userAgent: 'reflector-test' });
  const changes: Watched['changes'] = [];
  const interruptions: Watched['interruptions'] = [];
  const [warnings, paths]: [string[], string[]] = [[], []];
  const told = createInterruptionLog(
    pino({ level: 'warn' }, { write: (line) => warnings.push(JSON.parse(line).msg) }),
    namespace,
  );
  const observed: KubeSession = {
    ...session,
    request: (call) => {
      paths.push(call.path);
      return session.request(call);
    },
    stream: (path, signal) => {
      paths.push(path);
      return session.stream(path, signal);
    },
  };
  const reflector = createReflector({
    session: wrap(observed),
    path: collectionPath(namespace),
    keep: keepLegacyRestoreJob,
    onChange: (next) => {
      changes.push(next);
      change?.(next);
    },
    onListed: () => undefined,
    onInterrupted: (cause, error, waitMs) => {
      interruptions.push({ cause, error, waitMs });
      told.interrupted(cause, error, waitMs);
    },
    onRecovered: told.recovered,
    onEndedEarly: () => undefined,
  });
  const stop = new AbortController();
  const ended = reflector.run(stop.signal);
  return {
    reflector,
    changes,
    interruptions,
    warnings,
    paths,
    end: async () => {
      stop.abort(new Error('the test is over'));
      await ended;
      await session.close();
    },
  };
}

/** A session in which the API server refuses to stream lists, with the status of one that cannot. */
export const withoutWatchList = (session: KubeSession): KubeSession => ({
  ...session,
  stream: (path, signal) => session.stream(path.replace('NotOlderThan', 'Exact'), signal),
});

/** A kubeconfig, as text, of a service account that may do no more than a reflector does. */
export async function watcherKubeconfig(controlPlane: ControlPlane): Promise<string> {
  const role = ['--verb=get,list,watch', '--resource=legacyrestorejobs.atlasrestore.dev'];
  const binding = ['--clusterrole=watcher', '--serviceaccount=default:watcher'];
  await controlPlane.kubectlRun(['create', 'clusterrole', 'watcher', ...role]);
  await controlPlane.kubectlRun(['create', 'clusterrolebinding', 'watcher', ...binding]);
  return readFile(await controlPlane.serviceAccountKubeconfig('default', 'watcher'), 'utf8');
}
