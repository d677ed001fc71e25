/**
 * `npm run package`: writes the folder that `npm publish` takes, dist/package/, or with `-- --outdir <directory>` another.
 * It has the files of package.json under the names that they have there, and no dependency: the bundle contains them.
 */
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import packageJson from '../package.json' with { type: 'json' };
import { bundleOperator } from './bundle.ts';

const ROOT = path.join(import.meta.dirname, '..');
const DEFAULT_OUTDIR = path.join(ROOT, 'dist/package');

const { values } = parseArgs({ options: { outdir: { type: 'string' } } });
const outdir = values.outdir ?? DEFAULT_OUTDIR;
if (outdir === DEFAULT_OUTDIR) await rm(outdir, { recursive: true, force: true });
await mkdir(path.join(outdir, 'dist'), { recursive: true });
for (const { name, content } of await bundleOperator()) await writeFile(path.join(outdir, 'dist', name), content);
for (const name of ['LICENSE', 'README.md']) await copyFile(path.join(ROOT, name), path.join(outdir, name));
await writeFile(path.join(outdir, 'package.json'), `${JSON.stringify(publishedManifest(), null, 2)}\n`);

/** Without the dependencies, which are bundled and bring a Node.js, and without `private`, which keeps a checkout from being published. */
function publishedManifest() {
  const { name, version, description, license, author, repository, homepage, engines, bin, files } = packageJson;
  return { name, version, description, license, author, repository, homepage, engines, bin, files };
}
