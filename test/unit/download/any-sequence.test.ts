/** Whatever a download host does, and however often the command is run: no wrong bytes under the file's name. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DownloadError } from '../../../src/download/errors.ts';
import type { Verification } from '../../../src/download/outcome.ts';
import { createFiles, type Serving } from '../../support/atlas-simulator/files.ts';
import { bringFrom } from '../../support/bring-from.ts';
import { contentOf, temporaryDirectory } from '../../support/download-run.ts';
import { listen } from '../../support/listen.ts';

const SIZE = 60_000;
const CONTENT = randomBytes(SIZE);
/** Longer: what is written over it must not keep its end. */
const OTHER = randomBytes(SIZE + 10_000);
const NAME = 'file.tar.gz';
const SHA1 = createHash('sha1').update(CONTENT).digest('hex');

const { files, serve } = createFiles();
let server: Server;
let origin: string;
beforeAll(async () => {
  server = createServer(serve);
  origin = `http://127.0.0.1:${await listen(server)}`;
});
afterAll(async () => {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
});

/** What the host has, and its ETag: a strong one tells the truth, a weak one, or none, tells nothing. */
const VERSIONS = {
  strong: { content: CONTENT, etag: '"v1"' },
  weak: { content: CONTENT, etag: 'W/"v"' },
  untagged: { content: CONTENT },
  otherStrong: { content: OTHER, etag: '"v2"' },
  otherWeak: { content: OTHER, etag: 'W/"v"' },
  otherUntagged: { content: OTHER },
} as const;

/** A serving as a counterexample is to show it: without the bytes. */
interface SentFile {
  readonly kind: 'sent';
  readonly version: keyof typeof VERSIONS;
  readonly framing: 'chunked' | 'length' | 'close';
  readonly ranges: boolean;
  readonly ignoresIfRange: boolean;
  readonly cutAfter: number;
}

const sentFile: fc.Arbitrary<SentFile> = fc.record({
  kind: fc.constant('sent'),
  version: fc.constantFrom('strong', 'weak', 'untagged', 'otherStrong', 'otherWeak', 'otherUntagged'),
  framing: fc.constantFrom('chunked', 'length', 'close'),
  ranges: fc.boolean(),
  ignoresIfRange: fc.boolean(),
  // Half of them are sent to their end.
  cutAfter: fc.integer({ min: 0, max: 2 * SIZE }),
});
const servingOf = (described: SentFile | Serving): Serving =>
  described.kind === 'sent' ? { ...described, ...VERSIONS[described.version], kind: 'file' } : described;

const otherAnswer: fc.Arbitrary<Serving> = fc.oneof(
  fc.record({ kind: fc.constant('status'), status: fc.constantFrom(204, 206, 304, 400, 403, 416, 429, 500, 503) }),
  fc.record({ kind: fc.constant('reset') }),
  fc.constantFrom<Serving>(
    { kind: 'otherRange', from: 30_000, contentRange: 'bytes 30000-59999/60000', etag: '"v1"' },
    { kind: 'otherRange', from: 0, contentRange: 'bytes 0-59999/60000', etag: '"v1"' },
    { kind: 'otherRange', from: 0, contentRange: 'bytes */60000' },
    { kind: 'otherRange', from: 0, contentRange: 'none' },
  ),
);
const serving: fc.Arbitrary<SentFile | Serving> = fc.oneof(
  { arbitrary: sentFile, weight: 4 },
  { arbitrary: otherAnswer, weight: 1 },
);

/** Runs in one directory, each with its own answers of the host; the hash is Atlas's from the first download on, or never. */
const history = fc.record({
  runs: fc.array(fc.array(serving, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
  hash: fc.constantFrom('right', 'never'),
});

type End = Verification['kind'] | DownloadError['code'];

async function run(directory: string, servings: readonly Serving[], hash: string): Promise<End> {
  const { path } = files.put({ name: NAME, content: CONTENT, key: 'key', servings });
  const hashes = hash === 'right' ? [{ fileName: NAME, hash: SHA1, typeName: 'SHA1' }] : [];
  const ended = await bringFrom({ url: origin + path, directory, hashes });
  return ended instanceof DownloadError ? ended.code : ended.verification.kind;
}

const ENDS: readonly End[] = ['verified', 'noHash', 'differs', 'NOT_FETCHED'];

test('any sequence of cuts and answers ends with the right bytes or with a failure that has a name', async () => {
  await fc.assert(
    fc.asyncProperty(history, async ({ runs, hash }) => {
      const directory = await temporaryDirectory();
      try {
        for (const servings of runs) {
          const end = await run(directory.path, servings.map(servingOf), hash);
          expect(ENDS).toContain(end);
          const { [NAME]: file, [`${NAME}.sha1`]: sha1 } = await contentOf(directory.path);
          expect(sha1?.toString()).toBe(end === 'verified' ? `${SHA1}  ${NAME}\n` : undefined);
          if (end === 'verified') expect(file?.equals(CONTENT)).toBe(true);
          // Nobody can tell which one is right where there is no hash, but never is it a mixture, or less than all.
          else if (hash === 'never')
            expect(file === undefined || file.equals(CONTENT) || file.equals(OTHER)).toBe(true);
          else expect(file).toBeUndefined();
        }
      } finally {
        await directory.remove();
      }
    }),
    { numRuns: 100 },
  );
});
