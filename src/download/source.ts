/** Where a download's job comes from. */
import { AtlasError } from '../atlas/errors.ts';
import { KubeError } from '../kube/errors.ts';
import { reasonOfAtlasFailure } from '../restore-job/atlas-failures.ts';
import { entryOf } from '../restore-job/reasons.ts';
import type { JobView } from './job.ts';

export interface JobSource {
  /** The job as it is now. Throws AtlasError, KubeError, DownloadError. */
  readonly look: () => Promise<JobView>;
  /** Asks whoever brings the job to look for its hash; nothing where `look` asks Atlas itself. */
  readonly requestHash: () => Promise<void>;
}

/** Whether a look that failed can succeed later without anybody changing anything. */
export function mayPass(error: unknown): error is AtlasError | KubeError {
  if (error instanceof AtlasError) return entryOf(reasonOfAtlasFailure(error)).retry === 'transient';
  return error instanceof KubeError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

/** How long the one who failed asked to wait, in milliseconds. */
export const askedToWait = (error: AtlasError | KubeError): number => error.retryAfterMs ?? 0;
