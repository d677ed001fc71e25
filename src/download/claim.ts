/**
 * The claim on a part: a file beside it, with the heartbeat of the process that writes it. Whoever has created that file
 * owns the part; the file of a process that is gone is moved away first, which only one of several can do.
 */
import { readFileSync, statSync, writeSync } from 'node:fs';
import { type FileHandle, link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, DownloadError, notWritten } from './errors.ts';
import type { DownloadFiles } from './file-name.ts';
import type { Limits } from './limits.ts';
import { type Heartbeat, type PartInfo, partInfoText, readPartInfo } from './part-info.ts';

export interface Claim {
  /** What the process before had written; undefined where there was none. */
  readonly previous: PartInfo | undefined;
  /** Writes what is known of the part. Throws DownloadError. */
  readonly write: (info: PartInfo) => void;
  /**
   * Throws DownloadError where somebody else has the part now: to be called before each write. It only looks where this
   * process has not run for so long that somebody could have.
   */
  readonly check: () => void;
  /** Leaves the part to the next one, at once. */
  readonly release: () => Promise<void>;
  /** Removes the claim together with the part. */
  readonly remove: () => Promise<void>;
}

export interface ClaimOptions {
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** Somebody else writes the part: it is waited for. */
  readonly onWait: () => void;
  /** What is written if there is nothing yet. */
  readonly initial: PartInfo;
}

/** Throws DownloadError where somebody else keeps the part, or the directory cannot be written. */
export async function claimPart(files: DownloadFiles, options: ClaimOptions): Promise<Claim> {
  const { limits, signal, onWait, initial } = options;
  const deadline = performance.now() + limits.partInUse;
  for (let told = false; ; told = true) {
    const handle = await create(files);
    if (handle !== undefined) return own(files, handle, undefined, initial, limits);
    const found = await look(files);
    if (found === undefined) continue;
    if (isStale(found, limits)) {
      const claim = await takeOver(files, found, initial, limits);
      if (claim !== undefined) return claim;
      continue;
    }
    if (performance.now() >= deadline)
      throw new DownloadError('PART_IN_USE', `${files.part} is being written by another process.`);
    if (!told) onWait();
    await sleep(Math.min(POLL_MS, limits.heartbeat), undefined, { signal });
  }
}

const POLL_MS = 1_000;

/** A file of a claim as it was seen. */
interface Seen {
  readonly inode: bigint;
  readonly info: PartInfo | undefined;
  /** Undefined where its process has released it. */
  readonly heartbeat: Heartbeat | undefined;
}

/** Undefined where there is one. */
async function create({ partInfo }: DownloadFiles): Promise<FileHandle | undefined> {
  try {
    return await open(partInfo, 'wx', 0o600);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return undefined;
    throw notWritten(partInfo, error);
  }
}

/** Undefined where there is none any more. */
async function look({ partInfo }: DownloadFiles): Promise<Seen | undefined> {
  try {
    const { ino, mtimeMs } = await stat(partInfo, { bigint: true });
    const read = readPartInfo(await readFile(partInfo, 'utf8'));
    // Created and not written yet, or never.
    if (read === undefined) return { inode: ino, info: undefined, heartbeat: { at: Number(mtimeMs), boot: undefined } };
    return { inode: ino, ...read };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw notWritten(partInfo, error);
  }
}

/** A clock that was set back leaves heartbeats in the future: those of somebody alive are near, whichever way. */
const isStale = ({ heartbeat }: Seen, { staleHeartbeat }: Limits): boolean =>
  heartbeat === undefined || Math.abs(Date.now() - heartbeat.at) >= staleHeartbeat;

/** Undefined where another process was faster. */
async function takeOver(
  files: DownloadFiles,
  seen: Seen,
  initial: PartInfo,
  limits: Limits,
): Promise<Claim | undefined> {
  const aside = await moveAside(files, seen);
  if (aside === undefined) return undefined;
  let claim: Claim | undefined;
  try {
    const handle = await create(files);
    if (handle !== undefined) claim = await own(files, handle, infoOf(seen), initial, limits);
  } catch (error) {
    // On a full disk there may be no room for the new one, and without either the part would be worth nothing.
    await rename(aside, files.partInfo).catch(() => undefined);
    throw error;
  }
  await rm(aside, { force: true });
  return claim;
}

/**
 * A process that ended without a release has not synced the part. Its machine has the bytes all the same, but another one,
 * or the same one after it stopped, may have zeros in their place.
 */
const infoOf = ({ info, heartbeat }: Seen): PartInfo | undefined =>
  info === undefined || heartbeat === undefined || heartbeat.boot === BOOT ? info : { ...info, proven: false };

/** Containers have that of their node. Undefined where the system is not Linux. */
const BOOT = bootId();

function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Its new name; undefined where another process was faster. */
async function moveAside({ partInfo }: DownloadFiles, seen: Seen): Promise<string | undefined> {
  const aside = `${partInfo}.${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    await rename(partInfo, aside);
    const { ino } = await stat(aside, { bigint: true });
    if (ino === seen.inode) return aside;
    // Between the look and the move, another process has moved the old one away and created its own.
    await link(aside, partInfo).catch(() => undefined);
    await rm(aside);
    return undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw notWritten(partInfo, error);
  }
}

async function own(
  files: DownloadFiles,
  handle: FileHandle,
  previous: PartInfo | undefined,
  initial: PartInfo,
  limits: Limits,
): Promise<Claim> {
  const { partInfo } = files;
  const { ino } = await handle.stat({ bigint: true });
  let info = previous ?? initial;
  let beatAt = performance.now();
  let failure: DownloadError | undefined;

  /** At once: what is known of a part must not come after its bytes, nor a heartbeat after the release. */
  function store(heartbeat: Heartbeat | undefined): void {
    try {
      writeSync(handle.fd, partInfoText(info, heartbeat), 0);
    } catch (error) {
      throw notWritten(partInfo, error);
    }
  }

  const isOwned = (): boolean => statSync(partInfo, { bigint: true, throwIfNoEntry: false })?.ino === ino;

  function assertOwned(): void {
    if (!isOwned()) throw new DownloadError('PART_IN_USE', `${files.part} was taken over by another process.`);
  }

  function beat(): void {
    assertOwned();
    store({ at: Date.now(), boot: BOOT });
    beatAt = performance.now();
  }

  const timer = setInterval(() => {
    try {
      beat();
    } catch (error) {
      failure ??= notWritten(partInfo, error);
    }
  }, limits.heartbeat);
  timer.unref();

  async function close(): Promise<void> {
    clearInterval(timer);
    await handle.close();
  }

  try {
    beat();
  } catch (error) {
    await close();
    await rm(partInfo, { force: true });
    throw error;
  }
  return {
    previous,
    write: (changed) => {
      info = changed;
      beat();
    },
    check: () => {
      if (failure !== undefined) throw failure;
      if (performance.now() - beatAt > limits.staleHeartbeat / 2) assertOwned();
    },
    release: async () => {
      try {
        store(undefined);
      } finally {
        await close();
      }
    },
    remove: async () => {
      await close();
      if (isOwned()) await rm(partInfo, { force: true });
    },
  };
}
