/** `npm run build`: bundles the operator into dist/, or with `-- --outdir <directory>` into another directory. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bundleOperator } from './bundle.ts';

const DIST = path.join(import.meta.dirname, '../dist');

const { values } = parseArgs({ options: { outdir: { type: 'string' } } });
const outdir = values.outdir ?? DIST;
if (outdir === DIST) await rm(DIST, { recursive: true, force: true });
await mkdir(outdir, { recursive: true });
for (const { name, content } of await bundleOperator()) {
  const file = path.join(outdir, name);
  await writeFile(file, content);
  if (name.endsWith('.cjs')) await chmod(file, 0o755);
  console.log(`${path.relative(process.cwd(), file)}: ${Math.round(content.byteLength / 1024)} KiB`);
}
