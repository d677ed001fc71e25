/** The images of the run: the operator's, as a release builds it, and one with the Atlas simulator. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { bundle } from '../../scripts/bundle.ts';
import { type CommandOptions, run } from './commands.ts';

export interface Images {
  /** Under the name that the chart and kustomize install by default. */
  readonly operator: string;
  readonly simulator: string;
  readonly runtimeBase: string;
}

/** What `docker inspect` tells of an image. */
export type ImageFacts = z.infer<typeof ImageFacts>;
const ImageFacts = z.object({
  Size: z.number(),
  Config: z.object({
    User: z.string(),
  }),
});

const ROOT = path.join(import.meta.dirname, '../..');

/** Builds both images. BUILD_IMAGE and RUNTIME_IMAGE replace the base images, npm_config_registry npm's registry. */
export async function buildImages(docker: string, signal: AbortSignal): Promise<Images> {
  const runtimeBase = process.env['RUNTIME_IMAGE'] || (await defaultRuntimeImage());
  const operator = `ghcr.io/${packageJson.homepage.slice('https://github.com/'.length)}:${packageJson.version}`;
  const simulator = 'atlas-simulator:e2e';
  const given = ['BUILD_IMAGE', 'RUNTIME_IMAGE', 'npm_config_registry'].flatMap((name) => {
    const value = process.env[name];
    return value ? ['--build-arg', `${name}=${value}`] : [];
  });
  const options = { signal, timeoutMs: 900_000 };
  await run(docker, ['build', '--tag', operator, ...given, ROOT], options);

  const folder = await mkdtemp(path.join(tmpdir(), 'atlas-simulator-image-'));
  try {
    for (const { name, content } of await bundle('test/e2e/simulator/main.ts', 'atlas-simulator'))
      await writeFile(path.join(folder, name), content);
    const file = path.join(import.meta.dirname, 'simulator/Dockerfile');
    const base = ['--build-arg', `RUNTIME_IMAGE=${runtimeBase}`];
    await run(docker, ['build', '--tag', simulator, '--file', file, ...base, folder], options);
  } finally {
    await rm(folder, { recursive: true });
  }
  await ensurePresent(docker, runtimeBase, options);
  return { operator, simulator, runtimeBase };
}

/** BuildKit keeps the images that it builds on to itself. */
async function ensurePresent(docker: string, image: string, options: CommandOptions): Promise<void> {
  const found = await run(docker, ['image', 'ls', '--quiet', image], options);
  if (found === '') await run(docker, ['pull', '--quiet', image], options);
}

export async function inspectImage(docker: string, image: string): Promise<ImageFacts> {
  const [facts] = z.tuple([ImageFacts]).parse(JSON.parse(await run(docker, ['image', 'inspect', image])));
  return facts;
}

async function defaultRuntimeImage(): Promise<string> {
  const image = /^ARG RUNTIME_IMAGE=(.*)$/m.exec(await readFile(path.join(ROOT, 'Dockerfile'), 'utf8'))?.[1];
  if (image === undefined) throw new Error('the Dockerfile names no RUNTIME_IMAGE');
  return image;
}
