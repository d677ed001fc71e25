/**
 * The system's certificate store, trusted beside Node.js's own list and NODE_EXTRA_CA_CERTS, as Go's programs and curl
 * trust it. Node.js's own way (--use-system-ca) takes 70 ms at each start to parse what is in its list already, and is
 * silent about a file that is missing.
 */
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { Environment } from './proxy.ts';

/**
 * Trusts the store from now on, for all connections without a CA of their own. Returns one sentence for each variable
 * that names a file or a folder without certificates. `root`: of the file system.
 */
export function trustSystemCertificates(environment: Environment, root = '/'): readonly string[] {
  const present = getCACertificates('default');
  const known = new Set(present.map(withoutSpace));
  const { certificates, problems } = readStore(environment, root);
  // A folder holds the same ones as its bundle, and links to each: most go by their text alone.
  const distinct = [...new Set(certificates)];
  const further = new Map(distinct.map((certificate) => [withoutSpace(certificate), certificate]));
  const added = [...further].flatMap(([key, certificate]) => (known.has(key) ? [] : [certificate])).filter(isReadable);
  if (added.length > 0) setDefaultCACertificates([...present, ...added]);
  return [...problems, ...extraProblems(environment)];
}

/** Where Linux distributions keep them: the first one that is there, as Go looks for it. */
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/ssl/cert.pem',
] as const;
/** Where single certificates are put or mounted, as Go looks for them too. */
const FOLDERS = ['/etc/ssl/certs', '/etc/pki/tls/certs'] as const;
/** Where OpenShift and Red Hat bring a cluster's own CAs: read beside the others, because the image is none of theirs. */
const EXTRACTED = '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem';

interface Store {
  readonly certificates: readonly string[];
  readonly problems: readonly string[];
}

function readStore({ SSL_CERT_FILE = '', SSL_CERT_DIR = '' }: Environment, root: string): Store {
  const file =
    SSL_CERT_FILE === ''
      ? firstOf(FILES.map((file) => path.join(root, file)))
      : named('SSL_CERT_FILE', SSL_CERT_FILE, readFile);
  const folders =
    SSL_CERT_DIR === ''
      ? FOLDERS.map((folder) => ({ certificates: readFolder(path.join(root, folder)).certificates, problems: [] }))
      : SSL_CERT_DIR.split(path.delimiter)
          .filter((folder) => folder !== '')
          .map((folder) => named('SSL_CERT_DIR', folder, readFolder));
  const others = [...readFile(path.join(root, EXTRACTED)).certificates, ...keychain()];
  const stores = [file, ...folders, { certificates: others, problems: [] }];
  return {
    certificates: stores.flatMap(({ certificates }) => certificates),
    problems: stores.flatMap(({ problems }) => problems),
  };
}

/** macOS has no files. */
const keychain = (): readonly string[] => (process.platform === 'darwin' ? getCACertificates('system') : []);

/** Node.js reads it itself, and says nothing where nobody looks. */
const extraProblems = ({ NODE_EXTRA_CA_CERTS = '' }: Environment): readonly string[] =>
  NODE_EXTRA_CA_CERTS === '' ? [] : named('NODE_EXTRA_CA_CERTS', NODE_EXTRA_CA_CERTS, readFile).problems;

interface Read {
  readonly certificates: readonly string[];
  /** Why there are none. */
  readonly problem: string | undefined;
}

function named(variable: string, where: string, read: (where: string) => Read): Store {
  const { certificates, problem } = read(where);
  return {
    certificates,
    problems: problem === undefined ? [] : [`${variable}: no certificates from ${where} (${problem})`],
  };
}

function firstOf(files: readonly string[]): Store {
  for (const file of files) {
    const { certificates } = readFile(file);
    if (certificates.length > 0) return { certificates, problems: [] };
  }
  return { certificates: [], problems: [] };
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

function readFile(file: string): Read {
  try {
    const certificates = readFileSync(file, 'latin1').match(CERTIFICATE) ?? [];
    return { certificates, problem: certificates.length === 0 ? 'it has none' : undefined };
  } catch (error) {
    return { certificates: [], problem: codeOf(error) };
  }
}

/** Of a folder every file counts: OpenSSL's links by hash, and bundles that are mounted there. */
function readFolder(folder: string): Read {
  try {
    const certificates = readdirSync(folder).flatMap((name) => readFile(path.join(folder, name)).certificates);
    return { certificates, problem: certificates.length === 0 ? 'it has none' : undefined };
  } catch (error) {
    return { certificates: [], problem: codeOf(error) };
  }
}

const codeOf = (error: unknown): string =>
  Error.isError(error) && 'code' in error ? String(error.code) : 'unknown error';

const withoutSpace = (certificate: string): string => certificate.replace(/\s+/g, '');

/** One that OpenSSL cannot read would make it refuse all of them. */
function isReadable(certificate: string): boolean {
  try {
    return new X509Certificate(certificate).raw.length > 0;
  } catch {
    return false;
  }
}
