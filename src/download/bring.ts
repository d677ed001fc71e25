/** The steps of a download: wait for it, look whether the file is there, fetch it, compare its hash, give it its name. */
import path from 'node:path';
import { DownloadError } from './errors.ts';
import { type FetchOptions, fetchFile, type ReadyJob } from './fetch-file.ts';
import { type DownloadFiles, downloadFiles, fileNameOf, safeFileName } from './file-name.ts';
import type { JobView } from './job.ts';
import type { DownloadOptions } from './options.ts';
import { type Outcome, placementOf, verify } from './outcome.ts';
import { openPart, type Part, writeSha1 } from './part.ts';
import { emptyPart } from './part-info.ts';
import { computeSha1, presentBytes, recordedSha1 } from './present.ts';
import { bytesText } from './progress.ts';
import { createSha1 } from './sha1.ts';
import { waitForDownload } from './wait.ts';
import { waitForHash } from './wait-for-hash.ts';

export interface BringOptions
  extends FetchOptions,
    Pick<DownloadOptions, 'directory' | 'fileName' | 'waitMs' | 'hashTimeoutMs' | 'force'> {}

/** Throws DownloadError, AtlasError, KubeError, the reason of the signal. */
export async function bring(options: BringOptions): Promise<Outcome> {
  // Found missing only at the end, it would have cost a whole download.
  createSha1();
  const { view, state } = await waitForDownload(options);
  const name = options.fileName ?? nameOf(view);
  const files = name === undefined ? undefined : downloadFiles(path.resolve(options.directory), name);
  const present = files === undefined || options.force ? undefined : await verifyPresent(files, view, options);
  if (present !== undefined) return present;
  if (state.kind === 'ended') throw state.error;
  if (files === undefined)
    throw new DownloadError('LINK_UNUSABLE', 'The URL of the download names no file: give it a name with --file-name.');
  return fetchIntoPart(files, { view, link: state.link }, options);
}

/** What the URL says stays the same between runs; where it is gone, the name that comes with the hash is left. */
function nameOf({ link, content: { hashes = [] } }: JobView): string | undefined {
  if (link.kind === 'link') return safeFileName(fileNameOf(link.link.url));
  return hashes.length === 1 ? safeFileName(hashes[0]?.fileName ?? '') : undefined;
}

/** The outcome of a file that is there; undefined where there is none. */
async function verifyPresent(files: DownloadFiles, view: JobView, options: BringOptions): Promise<Outcome | undefined> {
  const bytes = await presentBytes(files);
  if (bytes === undefined) return undefined;
  const recorded = await recordedSha1(files);
  const expected = await expectedHash(view, options);
  const isRecorded = recorded !== undefined && recorded === expected;
  const sha1 = isRecorded ? recorded : await readSha1(files, bytes, options);
  const verification = verify(sha1, expected, options.hashTimeoutMs !== undefined);
  if (verification.kind === 'verified' && !isRecorded) await writeSha1(files, sha1);
  return { kind: 'present', verification, file: files.file, bytes, sha1, resumed: false };
}

function readSha1(files: DownloadFiles, bytes: number, { display, signal }: BringOptions): Promise<string> {
  let read = 0;
  display.show(() => `reading ${files.file}: ${bytesText(read)} of ${bytesText(bytes)}`);
  return computeSha1(
    files,
    bytes,
    (count) => {
      read = count;
    },
    signal,
  );
}

/** Undefined where none came in time, or none is to be compared. */
async function expectedHash(view: JobView, options: BringOptions): Promise<string | undefined> {
  const { hashTimeoutMs } = options;
  if (hashTimeoutMs === undefined) return undefined;
  const fileName = view.link.kind === 'link' ? fileNameOf(view.link.link.url) : undefined;
  return waitForHash(view, fileName, { ...options, timeoutMs: hashTimeoutMs });
}

async function fetchIntoPart(files: DownloadFiles, ready: ReadyJob, options: BringOptions): Promise<Outcome> {
  const { display } = options;
  let activity: string | undefined;
  function tell(text: string): void {
    const isFirst = activity === undefined;
    activity = text;
    if (isFirst) display.show(() => activity ?? '');
  }

  const part = await openPart(files, {
    ...options,
    initial: emptyPart(ready.view),
    onWait: () => tell(`waiting: another process writes ${files.part}`),
    onRead: (bytes, of) => tell(`reading ${files.part}: ${bytesText(bytes)} of ${bytesText(of)}`),
  });
  try {
    // Whoever wrote the part meanwhile can have brought the file.
    const present = options.force || part.size() > 0 ? undefined : await verifyPresent(files, ready.view, options);
    return present ?? (await fetchAndPlace(files, part, ready, options));
  } finally {
    await part.close();
  }
}

async function fetchAndPlace(
  files: DownloadFiles,
  part: Part,
  ready: ReadyJob,
  options: BringOptions,
): Promise<Outcome> {
  for (let job = ready; ; ) {
    job = await fetchFile(part, job, options);
    const expected = await expectedHash(job.view, options);
    const [sha1, bytes, info] = [part.sha1(), part.size(), part.info()];
    const verification = verify(sha1, expected, options.hashTimeoutMs !== undefined);
    const outcome = { kind: 'fetched', verification, bytes, sha1, resumed: info.resumed } as const;
    switch (placementOf(verification, info)) {
      case 'verifiedFile':
        await part.finish(true);
        return { ...outcome, file: files.file };
      case 'file':
        await part.finish(false);
        return { ...outcome, file: files.file };
      case 'corrupt':
        await part.reject();
        return { ...outcome, file: files.corrupt };
      case 'part':
        return { ...outcome, kind: 'part', file: files.part };
      case 'startOver':
        options.display.say(
          'The file does not have the hash that the job names, and its bytes may not belong together: starting over.',
        );
        part.restart();
        part.note({ restarted: true });
    }
  }
}
