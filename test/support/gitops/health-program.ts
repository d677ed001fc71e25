/** Judges resources with the interpreters and libraries that Argo CD and Flux use: a Go program, built once per machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { ensureGoTools } from '../go-tools.ts';

/** What each of them makes of one resource. */
export type Health = z.infer<typeof Health>;
const Health = z.object({
  /** Of the Lua script, as Argo CD shows it. */
  argocd: z.string(),
  message: z.string(),
  /** Of the kstatus library, as Flux without healthCheckExprs and others see it. */
  kstatus: z.string(),
  /** Of the Kustomization's healthCheckExprs. */
  flux: z.string(),
});

export interface HealthChecks {
  /** The script of Argo CD's health check. */
  readonly lua: string;
  /** YAML of a Kustomization of Flux. */
  readonly flux: string;
}

/** The health of each object, in order. Rejects when a script fails or the Kustomization is not valid. */
export async function judgeHealth(checks: HealthChecks, objects: readonly object[]): Promise<readonly Health[]> {
  const child = spawn(await ensureProgram(), { stdio: ['pipe', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  // It may end without reading all of it, and says why itself.
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify({ ...checks, objects }));
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  if (child.exitCode !== 0) throw new Error(complaint.trim());
  return z.array(Health).parse(JSON.parse(output));
}

const MODULE = path.join(import.meta.dirname, '../../../tools-gitops');
const NAME = 'gitops-health';

async function ensureProgram(): Promise<string> {
  const tools = await ensureGoTools(MODULE, { [NAME]: { package: `./${NAME}` } });
  return tools.path(NAME);
}
