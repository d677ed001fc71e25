/** What the operator is given before it starts: its resource, its service account and its rights. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ControlPlane } from './control-plane/control-plane.ts';
import { base64 } from './control-plane/credentials.ts';

/** Namespace and name of its service account, and what the API server calls that. */
export const OPERATOR = {
  namespace: 'legacy-restore-operator-system',
  name: 'legacy-restore-operator',
  user: 'system:serviceaccount:legacy-restore-operator-system:legacy-restore-operator',
} as const;

/** Settings with which it elects a leader there. */
export const LEADER_ELECTION = { LEADER_ELECT: 'true', LEASE_NAMESPACE: OPERATOR.namespace } as const;

/** The folder and the files that `install` applies, relative to the root of the repository. */
export const MANIFESTS = {
  crds: 'crds/',
  // The namespace as well: kubectl warns when it later applies one that it did not create.
  rights: ['deploy/base/namespace.yaml', 'deploy/base/rbac.yaml', 'deploy/base/delivery-secrets-rbac.yaml'],
} as const;

/** Installs the CRD and the rights; returns the path of a kubeconfig of the service account. */
export async function install(controlPlane: ControlPlane): Promise<string> {
  await installCrds(controlPlane);
  return installAccount(controlPlane);
}

/** Resolves when the API server serves LegacyRestoreJobs. */
export async function installCrds({ kubectlRun }: ControlPlane): Promise<void> {
  await kubectlRun(['apply', `--filename=${path.join(ROOT, MANIFESTS.crds)}`]);
  await kubectlRun(['wait', '--for=condition=Established', 'crd/legacyrestorejobs.atlasrestore.dev', '--timeout=30s']);
}

/** As `install`, without the CRD. */
export async function installAccount(controlPlane: ControlPlane): Promise<string> {
  await grantRights(controlPlane);
  return controlPlane.serviceAccountKubeconfig(OPERATOR.namespace, OPERATOR.name);
}

/** Gives the service account the rights that it has where the operator is installed. */
export async function grantRights({ kubectlRun }: ControlPlane): Promise<void> {
  await kubectlRun(['apply', ...MANIFESTS.rights.map((file) => `--filename=${path.join(ROOT, file)}`)]);
}

/**
 * Path of a copy of a kubeconfig whose server is a proxy on a port of the loopback interface. `caPem`: of the CA that
 * signed the certificate which the proxy shows, where that is not the API server's.
 */
export async function proxiedKubeconfig(
  { server, caPem }: ControlPlane,
  kubeconfig: string,
  proxy: { readonly port: number; readonly caPem?: string },
): Promise<string> {
  const file = `${kubeconfig}.${proxy.port}`;
  const text = await readFile(kubeconfig, 'utf8');
  const proxied = text
    .replaceAll(server, `https://127.0.0.1:${proxy.port}`)
    .replaceAll(base64(caPem), base64(proxy.caPem ?? caPem));
  await writeFile(file, proxied, { mode: 0o600 });
  return file;
}

const ROOT = path.join(import.meta.dirname, '../..');
