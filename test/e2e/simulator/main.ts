/**
 * The Atlas simulator as a pod: `main.ts <folder>`, a folder with scenario.json, tls.crt and tls.key. It speaks https on
 * port 8443 and writes one line of JSON for every request, after the word `file` where a file was asked for, so that
 * `kubectl logs` tells who asked for what.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { applyScenario, scenarioSchema } from '../../support/atlas-simulator/scenario.ts';
import { startAtlasSimulator } from '../../support/atlas-simulator/simulator.ts';

// No top-level await: the bundle is CommonJS.
void main(process.argv[2] ?? '.');

async function main(folder: string): Promise<void> {
  const read = (name: string): Promise<string> => readFile(path.join(folder, name), 'utf8');
  const [scenario, cert, key] = await Promise.all([read('scenario.json'), read('tls.crt'), read('tls.key')]);
  const simulator = await startAtlasSimulator({
    host: '0.0.0.0',
    port: 8443,
    tls: { cert, key },
    onRequest: ({ address, method, target, authorization }) =>
      console.log(
        JSON.stringify({ at: Date.now(), from: address, method, target, authenticated: authorization.kind !== 'none' }),
      ),
    onFileRequest: ({ name, range, status, hasHeader }) =>
      console.log(`file ${JSON.stringify({ name, range, status, hasHeader })}`),
  });
  applyScenario(scenarioSchema.parse(JSON.parse(scenario)), simulator);
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void simulator.stop().then(() => process.exit(0)));
  console.log(`ready ${simulator.url}`);
}
