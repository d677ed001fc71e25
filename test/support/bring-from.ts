/** The steps of a download from one URL, without a command line and without Atlas. */
import type { RestoreJob } from '../../src/api/restore-job.ts';
import { bring } from '../../src/download/bring.ts';
import { DownloadError } from '../../src/download/errors.ts';
import type { Outcome } from '../../src/download/outcome.ts';
import { QUICK } from './download-run.ts';

export interface BringFrom {
  readonly url: string;
  readonly directory: string;
  /** What Atlas says from the beginning; default: nothing, ever. */
  readonly hashes?: RestoreJob['hashes'];
}

/** How it ended; a failure that has no name is thrown. */
export async function bringFrom({ url, directory, hashes = [] }: BringFrom): Promise<Outcome | DownloadError> {
  const content: RestoreJob = {
    statusName: 'FINISHED',
    delivery: { methodName: 'HTTP', statusName: 'READY', url },
    hashes,
  };
  const link = { kind: 'link', link: { url, header: undefined } } as const;
  try {
    return await bring({
      source: {
        look: () => Promise.resolve({ groupId: 'g', jobId: 'j', content, link }),
        requestHash: () => Promise.resolve(),
      },
      directory,
      fileName: undefined,
      waitMs: undefined,
      hashTimeoutMs: 20,
      force: false,
      limits: { ...QUICK, fruitlessTries: 3, backoff: { first: 0, longest: 0 } },
      display: { show: () => undefined, say: () => undefined, close: () => undefined },
      signal: new AbortController().signal,
      environment: {},
      userAgent: 'test',
      plainOrigin: undefined,
      atlasApi: 'atlas/v1.0',
    });
  } catch (error) {
    if (error instanceof DownloadError) return error;
    throw error;
  }
}
