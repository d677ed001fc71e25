/** The part of a file that is being fetched: written as it comes, with its SHA-1 computed on the way. */
import { constants, ftruncateSync } from 'node:fs';
import { type FileHandle, open, rename, rm, writeFile } from 'node:fs/promises';
import type { Flow } from '../net/http-stream.ts';
import { type ClaimOptions, claimPart } from './claim.ts';
import { DownloadError, notWritten } from './errors.ts';
import type { DownloadFiles } from './file-name.ts';
import type { PartInfo } from './part-info.ts';
import { createSha1, hashFile } from './sha1.ts';
import { createWriteBehind } from './write-behind.ts';

export interface Part {
  readonly info: () => PartInfo;
  /** Bytes that it has. */
  readonly size: () => number;
  /** Whether it has all bytes of the file, as far as anybody said how many those are. */
  readonly isComplete: () => boolean;
  /** The SHA-1 of what it has. */
  readonly sha1: () => string;
  /** Takes the next piece; pauses the flow where writing is slower. Throws DownloadError. */
  readonly append: (chunk: Buffer, flow: Flow) => void;
  /** Resolves when all pieces are in the file. Rejects with DownloadError. */
  readonly flush: () => Promise<void>;
  /** Writes what is known of it. Throws DownloadError. */
  readonly note: (changes: Partial<PartInfo>) => void;
  /** Empties it, after a flush: what is appended next is a file from its first byte. Throws DownloadError. */
  readonly restart: () => void;
  /** Gives it its name, with its SHA-1 beside it where that is Atlas's. */
  readonly finish: (verified: boolean) => Promise<void>;
  /** Gives it the name of a file that is not to be used. */
  readonly reject: () => Promise<void>;
  /** Leaves it as it is, on disk, for the next run; nothing where it has got a name. */
  readonly close: () => Promise<void>;
}

export interface OpenPartOptions extends ClaimOptions {
  /** Told how many bytes of an existing part have been read. */
  readonly onRead: (bytes: number, of: number) => void;
}

/** Opens the part that is there of this job, or a new one. Throws DownloadError. */
export async function openPart(files: DownloadFiles, options: OpenPartOptions): Promise<Part> {
  const claim = await claimPart(files, options);
  try {
    const handle = await openFile(files.part);
    try {
      return await readPart(files, claim, handle, options);
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    await claim.release();
    throw error;
  }
}

async function openFile(file: string): Promise<FileHandle> {
  // A link under this name could lead anywhere, and a pipe would block.
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    const handle = await open(file, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    const isFile = (await handle.stat()).isFile();
    if (isFile) {
      await handle.chmod(0o600);
      return handle;
    }
    await handle.close();
  } catch (error) {
    throw notWritten(file, error);
  }
  throw new DownloadError('NOT_WRITTEN', `${file} is not a file.`);
}

async function readPart(
  files: DownloadFiles,
  claim: Awaited<ReturnType<typeof claimPart>>,
  handle: FileHandle,
  { initial, signal, onRead }: OpenPartOptions,
): Promise<Part> {
  const guarded = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw notWritten(files.part, error);
    });
  const { previous } = claim;
  let info = isSameJob(previous, initial) ? previous : initial;
  let size = (await guarded(handle.stat())).size;
  let hash = createSha1();

  function note(changes: Partial<PartInfo>): void {
    info = { ...info, ...changes };
    claim.write(info);
  }

  function restart(): void {
    claim.check();
    try {
      ftruncateSync(handle.fd, 0);
    } catch (error) {
      throw notWritten(files.part, error);
    }
    size = 0;
    hash = createSha1();
    writer = createWriteBehind(handle.fd, 0);
    note({ etag: undefined, length: undefined, proven: true, resumed: false });
  }

  const isUsable = info === previous && size > 0 && size <= (info.length ?? Number.POSITIVE_INFINITY);
  if (isUsable)
    await hashFile(handle, hash, size, (bytes) => onRead(bytes, size), signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw notWritten(files.part, error);
    });
  let writer = createWriteBehind(handle.fd, size);
  if (!isUsable) restart();

  async function flush(): Promise<void> {
    await guarded(writer.flush());
  }

  /** The system tells of bytes that did not reach the disk once: a later sync would succeed without them. */
  async function sync(): Promise<void> {
    try {
      await handle.sync();
    } catch (error) {
      note({ proven: false });
      throw notWritten(files.part, error);
    }
  }

  /** On disk before it has its name: a machine that stops now must not leave a file of zeros under it. */
  async function moveTo(target: string): Promise<void> {
    await flush();
    await sync();
    claim.check();
    await rename(files.part, target).catch((error: unknown) => {
      throw notWritten(target, error);
    });
  }

  let isClosed = false;
  async function end(claimEnd: () => Promise<void>): Promise<void> {
    isClosed = true;
    await handle.close();
    await claimEnd();
  }

  return {
    info: () => info,
    size: () => size,
    isComplete: () => info.length === size,
    sha1: () => hash.copy().digest('hex'),
    append: (chunk, flow) => {
      claim.check();
      try {
        writer.write(chunk, flow);
      } catch (error) {
        throw notWritten(files.part, error);
      }
      hash.update(chunk);
      size += chunk.byteLength;
    },
    flush,
    note,
    restart,
    finish: async (verified) => {
      // One of an earlier file would vouch for this one.
      await removeFile(files.sha1);
      await moveTo(files.file);
      if (verified) await writeSha1(files, hash.copy().digest('hex'));
      await syncDirectory(files.directory);
      await end(claim.remove);
    },
    reject: async () => {
      await moveTo(files.corrupt);
      await end(claim.remove);
    },
    close: async () => {
      if (isClosed) return;
      // What failed to be written has been told already.
      await writer.flush().catch(() => undefined);
      await sync().catch(() => undefined);
      // Nothing is worth going on with, and nothing is known that the next run needs.
      const isEmpty = size === 0 && info.fullTries === 0;
      if (isEmpty) await rm(files.part, { force: true }).catch(() => undefined);
      await end(isEmpty ? claim.remove : claim.release);
    },
  };
}

/** Writes the SHA-1 of a file beside it, in the format of sha1sum. Throws DownloadError. */
export async function writeSha1(files: DownloadFiles, sha1: string): Promise<void> {
  // A link under this name could lead anywhere.
  await removeFile(files.sha1);
  await writeFile(files.sha1, `${sha1}  ${files.name}\n`, { mode: 0o600, flag: 'wx', flush: true }).catch(
    (error: unknown) => {
      throw notWritten(files.sha1, error);
    },
  );
}

const isSameJob = (previous: PartInfo | undefined, job: PartInfo): previous is PartInfo =>
  previous?.groupId === job.groupId && previous.jobId === job.jobId;

async function removeFile(file: string): Promise<void> {
  await rm(file, { force: true }).catch((error: unknown) => {
    throw notWritten(file, error);
  });
}

/** A rename is on disk once its directory is. Not every file system can do that, and none needs it to go on. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
