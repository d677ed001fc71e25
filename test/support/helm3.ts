/** Helm 3, which people use beside the Helm 4 of `tools/`. */
import path from 'node:path';
import type { ObtainOptions } from './control-plane/tool-cache.ts';
import { ensureGoTools } from './go-tools.ts';

/** The module that pins it. */
const MODULE = path.join(import.meta.dirname, '../e2e/tools');

/** Path of Helm 3; as `ensureGoTools`. */
export async function ensureHelm3(options: ObtainOptions = {}): Promise<string> {
  return (await ensureGoTools(MODULE, { helm3: { package: 'helm.sh/helm/v3/cmd/helm' } }, options)).path('helm3');
}
