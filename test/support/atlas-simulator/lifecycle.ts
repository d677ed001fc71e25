import type { JobIdentity, JobStep } from './jobs.ts';
import {
  atlasDate,
  endedDownload,
  fetchedDownload,
  pendingDownload,
  readyDownload,
  youngJob,
} from './recorded-bodies.ts';

/** How long each phase of a download lasts, in milliseconds. */
export interface DownloadPhases {
  /** IN_PROGRESS, delivery NOT_STARTED. */
  readonly runningMs: number;
  /** FINISHED, delivery PENDING. */
  readonly pendingMs: number;
  /** Delivery READY, no hashes yet. */
  readonly readyMs: number;
  /** Delivery READY, somebody has downloaded it: hashes. Then it is EXPIRED forever. */
  readonly fetchedMs: number;
}

/** All phases within 45 s, for people who watch. */
export const SHORT_DOWNLOAD: DownloadPhases = {
  runningMs: 10_000,
  pendingMs: 8_000,
  readyMs: 12_000,
  fetchedMs: 12_000,
};

/**
 * The life of a job with a download. `startMs` (milliseconds since the epoch) is the time of its `putJob`: `expires` lies the sum of the
 * phases after it, rounded up to the second, and the job turns EXPIRED then and not before.
 */
export function downloadLifecycle(job: JobIdentity, startMs: number, phases = SHORT_DOWNLOAD): readonly JobStep[] {
  const finished = phases.runningMs;
  const ready = finished + phases.pendingMs;
  const fetched = ready + phases.readyMs;
  const expires = atlasDate(startMs + fetched + phases.fetchedMs);
  return [
    { afterMs: 0, body: youngJob(job) },
    { afterMs: finished, body: pendingDownload(job) },
    { afterMs: ready, body: readyDownload(job, expires) },
    { afterMs: fetched, body: fetchedDownload(job, expires) },
    { afterMs: Date.parse(expires) - startMs, body: endedDownload(job, 'EXPIRED', expires) },
  ];
}
