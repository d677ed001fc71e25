/** Which of the listed restore jobs are printed, and in which order. */
import type { ListedJob } from '../atlas/list-response.ts';
import { timeOf } from '../restore-job/state.ts';

/** Those with one of the statuses, newest first; those that do not say when they were created come last. */
export const selectJobs = (jobs: readonly ListedJob[], status: ReadonlySet<string> | undefined): readonly ListedJob[] =>
  jobs
    .filter(({ job }) => status === undefined || status.has(job.statusName ?? ''))
    .toSorted((a, b) => createdAt(b) - createdAt(a));

/** Milliseconds since the epoch; 0, older than any backup, where Atlas does not say. */
const createdAt = ({ job }: ListedJob): number => timeOf(job.created ?? '') ?? 0;
