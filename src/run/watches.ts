/** The operator's picture of all LegacyRestoreJobs: it lists and watches the namespaces of the settings. */

import { API_VERSION, type LegacyRestoreJob, namesOf, PLURAL } from '../api/legacy-restore-job.ts';
import type { LegacyRestoreJobs } from '../controller/controller.ts';
import { collectionPath, toLegacyRestoreJob } from '../controller/legacy-restore-jobs.ts';
import { type Change, createReflector, type Reflector } from '../kube/reflector.ts';
import { createWatchLog, type WatchLog } from '../kube/watch-log.ts';
import type { Context } from './context.ts';

export interface Watches {
  readonly jobs: LegacyRestoreJobs & { readonly size: () => number };
  /** Resolves when the signal is aborted. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Resolves when every list has been complete once. */
  readonly listed: Promise<void>;
  /** Why the picture is not complete yet, one sentence each. */
  readonly problems: () => readonly string[];
}

export interface WatchesOptions {
  readonly onChange: (change: Change<LegacyRestoreJob>) => void;
  /** Something ended a watch before its time: the API server was away, or the CustomResourceDefinition changed. */
  readonly onDisturbed: () => void;
}

/** One reflector for all namespaces, or one for each that is named. */
export function createWatches(
  { settings: { namespaces }, client, log, metrics }: Context,
  { onChange, onDisturbed }: WatchesOptions,
): Watches {
  const { promise: listed, resolve } = Promise.withResolvers<void>();
  const scopes = namespaces.length === 0 ? [undefined] : namespaces;
  const listSizes = new Map<string | undefined, number>();
  const watches = new Map<string | undefined, { reflector: Reflector<LegacyRestoreJob>; interruptions: WatchLog }>();
  for (const scope of scopes) {
    const interruptions = createWatchLog(log, { apiVersion: API_VERSION, plural: PLURAL }, scope);
    const reflector = createReflector({
      client,
      path: collectionPath(scope),
      keep: (object) =>
        toLegacyRestoreJob(object, (resource, fields) =>
          log.warn(
            { ...namesOf(resource), fields },
            'a resource cannot be read and is left alone: is the CustomResourceDefinition of this version installed?',
          ),
        ),
      onChange,
      onListed: (resources, kind) => {
        metrics.watchLists.inc({ kind });
        listSizes.set(scope, resources);
        metrics.watchListObjects.set([...listSizes.values()].reduce((sum, size) => sum + size, 0));
        log.debug({ resources, ...(scope === undefined ? {} : { watchedNamespace: scope }) }, 'listed');
        if ([...watches.values()].every((watch) => watch.reflector.hasListed())) resolve();
      },
      onInterrupted: (cause, error, waitMs) => {
        metrics.watchInterruptions.inc({ cause });
        interruptions.interrupted(cause, error, waitMs);
      },
      onRecovered: () => {
        interruptions.recovered();
        onDisturbed();
      },
      onEndedEarly: onDisturbed,
    });
    watches.set(scope, { reflector, interruptions });
  }
  const reflectorOf = (key: string): Reflector<LegacyRestoreJob> | undefined =>
    (watches.get(undefined) ?? watches.get(key.slice(0, key.indexOf('/'))))?.reflector;
  return {
    jobs: {
      get: (key) => reflectorOf(key)?.get(key),
      all: function* () {
        for (const { reflector } of watches.values()) yield* reflector.all();
      },
      learn: (job) => reflectorOf(job.key)?.learn(job),
      size: () => [...watches.values()].reduce((sum, { reflector }) => sum + reflector.size(), 0),
    },
    run: async (signal) => {
      await Promise.all([...watches.values()].map(({ reflector }) => reflector.run(signal)));
    },
    listed,
    problems: () =>
      [...watches.values()]
        .filter(({ reflector }) => !reflector.hasListed())
        .map(({ interruptions }) => interruptions.problem() ?? 'the first list of resources is not complete yet'),
  };
}
