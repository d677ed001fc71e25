/** How large is what people download: bundles, the Go binary and, where it was built on this machine, the image. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import * as z from 'zod';
import { markdownTable } from '../scripts/markdown-table.ts';

const IMAGE = 'ghcr.io/atlasrestore/legacy-restore-operator';

/** A table in Markdown with a row for each artifact. */
export async function sizes(artifacts: readonly (readonly [name: string, file: string])[]): Promise<string> {
  const rows = await Promise.all(
    artifacts.map(async ([name, file]) => [name, mebibytes((await stat(file)).size)] as const),
  );
  const image = await imageSize();
  const imageRow = image === undefined ? [] : [[`image ${IMAGE}, unpacked`, mebibytes(image)]];
  const table = markdownTable(['what', 'MiB'], [...rows, ...imageRow], { numeric: true });
  return image === undefined
    ? `${table}\n\nThe image is left out: Docker does not run on this machine, or the image has not been built here.`
    : table;
}

/** Bytes; undefined when there is no Docker or no image. */
async function imageSize(): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('docker', ['image', 'inspect', IMAGE]);
    return z.array(z.object({ Size: z.number() })).parse(JSON.parse(stdout))[0]?.Size;
  } catch {
    return undefined;
  }
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
