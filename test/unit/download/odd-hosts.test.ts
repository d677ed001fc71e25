/** Download hosts that speak HTTP as few do: what comes of it is the right file, or a failure with a name. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DownloadError } from '../../../src/download/errors.ts';
import { type BringFrom, bringFrom } from '../../support/bring-from.ts';
import { contentOf, temporaryDirectory } from '../../support/download-run.ts';
import { listen } from '../../support/listen.ts';

const CONTENT = 'hello world';
const SHA1 = createHash('sha1').update(CONTENT).digest('hex');

/** What the host sends to every request before it ends the connection. */
let sent = '';
let server: Server;
let origin: string;
const sockets = new Set<Socket>();
beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(sent));
  });
  origin = `http://127.0.0.1:${await listen(server)}`;
});
afterAll(async () => {
  const closed = once(server, 'close');
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
});

const http = (...lines: readonly string[]): string => lines.join('\r\n');
const CHUNKED = ['', '5;name=value', 'hello', '6', ' world', '0', 'trailer: x', '', ''];
const OK = 'HTTP/1.1 200 OK';
const LENGTH = 'content-length: 11';
const REDIRECT = 'HTTP/1.1 302 Found';

test.each<{ readonly host: string; readonly says: string }>([
  { host: 'HTTP/1.0, until the end of the connection', says: http('HTTP/1.0 200 OK', '', CONTENT) },
  { host: 'HTTP/1.0 with a length', says: http('HTTP/1.0 200 OK', LENGTH, '', CONTENT) },
  { host: 'chunks with extensions and a trailer', says: http(OK, 'transfer-encoding: Chunked', ...CHUNKED) },
  {
    host: 'an early hint before it',
    says: http('HTTP/1.1 103 Early Hints', 'link: </x>', '', OK, LENGTH, '', CONTENT),
  },
  { host: 'more than its length', says: http(OK, LENGTH, '', `${CONTENT} and more`) },
  {
    host: 'another name for it, which leads elsewhere',
    says: http(OK, 'content-disposition: attachment; filename="../../x"', LENGTH, '', CONTENT),
  },
])('the file comes by $host', async ({ says }) => {
  const { ended, disk } = await from(says, [{ fileName: 'file', hash: SHA1.toUpperCase(), typeName: 'SHA1' }]);
  expect({ ended, disk }).toEqual({
    ended: expect.objectContaining({ verification: { kind: 'verified' } }),
    disk: ['file', 'file.sha1'],
  });
});

test('an empty file is a file', async () => {
  const { ended, disk } = await from(http(OK, 'content-length: 0', '', ''));
  expect({ ended, disk }).toEqual({ ended: expect.objectContaining({ bytes: 0 }), disk: ['file'] });
});

const UNREADABLE = 'cannot be read: it is no HTTP, or has too many headers.';
const BROKEN_OFF = 'the transfer broke off.';
const NOT_ASKED_FOR = 'the download host answered 206, but not with what was asked for.';
const NO_URL = 'a redirect of the download host is no https:// URL.';

test.each<{ readonly host: string; readonly says: string; readonly end: string; readonly disk?: readonly string[] }>([
  { host: 'chunks and a length', says: http(OK, LENGTH, 'transfer-encoding: chunked', ...CHUNKED), end: BROKEN_OFF },
  { host: 'two lengths', says: http(OK, LENGTH, 'content-length: 5', '', CONTENT), end: BROKEN_OFF },
  { host: 'a length below 0', says: http(OK, 'content-length: -1', '', CONTENT), end: UNREADABLE },
  { host: 'a length beyond all numbers', says: http(OK, `content-length: ${'9'.repeat(30)}`, '', ''), end: BROKEN_OFF },
  {
    host: 'a chunk whose size is none',
    says: http(OK, 'transfer-encoding: chunked', '', '5', 'hello', 'zz', ' world', '0', '', ''),
    end: BROKEN_OFF,
    disk: ['file.part', 'file.part.json'],
  },
  {
    host: 'several ranges',
    says: http('HTTP/1.1 206 Partial Content', 'content-type: multipart/byteranges; boundary=b', '', '--b', CONTENT),
    end: NOT_ASKED_FOR,
  },
  {
    host: 'a range',
    says: http('HTTP/1.1 206 Partial Content', 'content-range: bytes 0-10/11', '', CONTENT),
    end: NOT_ASKED_FOR,
  },
  { host: 'headers of 100 KB', says: http(OK, `x: ${'y'.repeat(100_000)}`, LENGTH, '', CONTENT), end: UNREADABLE },
  { host: 'another protocol', says: 'SSH-2.0-OpenSSH_9.9\r\n', end: UNREADABLE },
  { host: 'line feeds alone', says: [OK, LENGTH, '', CONTENT].join('\n'), end: UNREADABLE },
  { host: 'nothing', says: '', end: BROKEN_OFF },
  { host: 'no content', says: http('HTTP/1.1 204 No Content', '', ''), end: 'the download host answered 204.' },
  { host: 'a redirect to a script', says: http(REDIRECT, 'location: javascript:alert(1)', '', ''), end: NO_URL },
  { host: 'a redirect to what is no URL', says: http(REDIRECT, 'location: https://[', '', ''), end: NO_URL },
  {
    host: 'two redirects in one',
    says: http(REDIRECT, 'location: ftp://a/', 'location: ftp://b/', '', ''),
    end: NO_URL,
  },
  {
    host: 'a Retry-After that is none',
    says: http('HTTP/1.1 503 Service Unavailable', 'retry-after: soon', '', ''),
    end: 'the download host answered 503.',
  },
])('$host: no file, and why', async ({ says, end, disk = [] }) => {
  const { ended, disk: found } = await from(says);
  expect(ended).toBeInstanceOf(DownloadError);
  expect({ ended, found }).toEqual({
    ended: expect.objectContaining({ code: 'NOT_FETCHED', message: expect.stringContaining(end) }),
    found: disk,
  });
});

async function from(says: string, hashes: BringFrom['hashes'] = []) {
  sent = says;
  const directory = await temporaryDirectory();
  try {
    const ended = await bringFrom({ url: `${origin}/file`, directory: directory.path, hashes });
    return { ended, disk: Object.keys(await contentOf(directory.path)) };
  } finally {
    await directory.remove();
  }
}
