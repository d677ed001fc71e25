/**
 * A private Apache httpd that asks for HTTP Digest: from a temporary folder, on a port of its own, and never the service
 * of this machine.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/operator-process.ts';
import type { Context } from './peer.ts';
import type { Running } from './processes.ts';

export interface Apache {
  readonly url: string;
  /** How many requests Apache counted for a path, once it has written down at least as many. */
  readonly logged: (pathname: string, atLeast: number) => Promise<number>;
}

/** A folder of the server; any path below it is answered. */
export type Folder = keyof typeof LOCATIONS;

export const BODY = '{"from":"Apache"}';
const REALM = 'MMS Public API';
export const KEY = 'abcdefgh';
export const SECRET = '0b8e4f5a-1c2d-4e3f-8a9b-123456789abc';
export const ODD_USER = 'odd "user" \\name';
/** As of a user of Ops Manager, whose personal key is the password. */
export const MAIL_USER = "o'neil+backup@example.com";
export const UTF8_USER = 'Jäger';
export const UTF8_SECRET_USER = 'utf8-password';
export const UTF8_SECRET = 'pässwörd €';
export const NONCE_LIFETIME_S = 2;

const USERS: readonly (readonly [user: string, password: string])[] = [
  [KEY, SECRET],
  [ODD_USER, SECRET],
  [MAIL_USER, SECRET],
  [UTF8_USER, SECRET],
  [UTF8_SECRET_USER, UTF8_SECRET],
];

/** What is different in each folder of the server. */
const LOCATIONS = {
  plain: '',
  short: `AuthDigestNonceLifetime ${NONCE_LIFETIME_S}`,
  counted: 'AuthDigestNcCheck On',
  once: 'AuthDigestNonceLifetime 0',
};

/** Starts it; resolves when it answers. Its end is left to `cleanup`. */
export async function startApache(program: string, context: Context, cleanup: AsyncDisposableStack): Promise<Apache> {
  const root = path.join(context.folder, 'apache');
  await mkdir(path.join(root, 'documents'), { recursive: true });
  await writeFile(path.join(root, 'documents', 'job.json'), BODY);
  await writeFile(path.join(root, 'users'), USERS.map(digestFileLine).join(''));
  // Whoever Apache serves as must be able to read this, whatever the umask.
  for (const folder of [root, path.join(root, 'documents')]) await chmod(folder, 0o755);
  for (const file of ['users', 'documents/job.json']) await chmod(path.join(root, file), 0o644);
  // Somebody else can take the free port before Apache does.
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    await writeFile(path.join(root, 'httpd.conf'), configuration(root, port));
    const server = await context.processes.start(program, ['-DFOREGROUND', '-d', root, '-f', `${root}/httpd.conf`]);
    cleanup.use(server);
    const url = `http://127.0.0.1:${port}`;
    if (await answers(url, server, context.signal)) return { url, logged: logReader(root) };
    const log = await readFile(path.join(root, 'error.log'), 'utf8').catch(() => '');
    if (tries === 3) throw new Error(`it ended: ${(server.output() + log).trim()}`);
  }
}

// What htdigest would write; it insists on a terminal for the password.
function digestFileLine([user, password]: (typeof USERS)[number]): string {
  return `${user}:${REALM}:${createHash('md5').update(`${user}:${REALM}:${password}`).digest('hex')}\n`;
}

function configuration(root: string, port: number): string {
  const modules = ['mpm_event', 'alias', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_digest'];
  return `
Listen 127.0.0.1:${port}
ServerName 127.0.0.1
DefaultRuntimeDir ${root}
PidFile ${root}/pid
ErrorLog ${root}/error.log
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
# Root starts it, nobody serves: Apache refuses to serve as root.
${process.getuid?.() === 0 ? 'User #65534\nGroup #65534' : ''}
StartServers 2
LogFormat "%U" path
CustomLog ${root}/access.log path
KeepAlive On
MaxKeepAliveRequests 0
DocumentRoot ${root}/documents
AliasMatch "^/" "${root}/documents/job.json"
<Location "/">
  AuthType Digest
  AuthName "${REALM}"
  AuthDigestProvider file
  AuthUserFile ${root}/users
  AuthDigestQop auth
  Require valid-user
</Location>
${Object.entries(LOCATIONS)
  .map(([name, directives]) => `<Location "/${name}">\n  ${directives}\n</Location>`)
  .join('\n')}
`;
}

/** Whether the server came up: it answers, be it with 401. False when it ended. */
async function answers(url: string, server: Running, signal: AbortSignal): Promise<boolean> {
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  for (const deadline = performance.now() + 20_000; !ended; await delay(50, undefined, { signal })) {
    if (await fetch(url, { signal }).catch(() => undefined)) return true;
    signal.throwIfAborted();
    if (performance.now() > deadline) throw new Error('Apache does not answer');
  }
  return false;
}

function logReader(root: string): Apache['logged'] {
  return (pathname, atLeast) =>
    eventually(`${atLeast} requests in the access log`, async () => {
      const lines = (await readFile(path.join(root, 'access.log'), 'utf8')).split('\n');
      const count = lines.filter((line) => line === pathname).length;
      // Apache writes a line after it has sent the answer.
      if (count < atLeast) throw new Error(`there are ${count}`);
      return count;
    });
}
