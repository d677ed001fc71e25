/** Reads manifests with the Go types of Flux: a program that is built once per machine. */
import path from 'node:path';
import { ensureGoTools } from '../go-tools.ts';
import { run } from '../manifests.ts';

/** Rejects with what Flux's own types do not know of the YAML documents. */
export async function checkFluxTypes(text: string): Promise<void> {
  const tools = await ensureGoTools(MODULE, { [NAME]: { package: `./${NAME}` } });
  await run(tools.path(NAME), [], text, process.env);
}

const MODULE = path.join(import.meta.dirname, '../../../tools-gitops');
const NAME = 'gitops-strict';
