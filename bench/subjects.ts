/** What is measured: the operator and its peers, each built as it is released and started as a process of its own. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { type BundleFile, bundle, bundleOperator } from '../scripts/bundle.ts';
import { freePort } from '../test/support/operator-process.ts';
import type { Command } from './measured-process.ts';

export interface Subject {
  readonly name: SubjectName;
  /** One line for the table's legend. */
  readonly description: string;
  /** The floor only sends the requests of a first sync: it watches nothing. */
  readonly watches: boolean;
  readonly build: () => Promise<void>;
  readonly command: (target: Target) => Promise<Command>;
}

export const SUBJECT_NAMES = ['operator', 'controller-runtime', 'client-node', 'floor'] as const;
export type SubjectName = (typeof SUBJECT_NAMES)[number];

export interface Target {
  readonly kubeconfig: string;
  readonly atlasUrl: string;
}

/** The same for all: the operator's default. */
export const CONCURRENCY = 16;
const ROOT = path.join(import.meta.dirname, '..');
const PEERS = path.join(import.meta.dirname, 'peers');
const DIST = path.join(ROOT, 'dist');

/** The bundle that `npm run build` makes. */
export const OPERATOR_BUNDLE = path.join(DIST, 'legacy-restore-operator.cjs');

/** The peer in Go, as its build leaves it. */
export const PEER_BINARY = path.join(DIST, 'bench-controller-runtime');

/** The operator, from its bundle or from its sources, with the environment and the flags of Node.js that the image has. */
export async function operatorCommand(program: string, { kubeconfig, atlasUrl }: Target): Promise<Command> {
  const { flags, env } = await readImage();
  return {
    program: process.execPath,
    args: [...flags, program, 'run'],
    env: {
      ...inherited(),
      ...env,
      KUBECONFIG: kubeconfig,
      ATLAS_BASE_URL: atlasUrl,
      ATLAS_REQUESTS_PER_MINUTE: '0',
      CONCURRENCY: String(CONCURRENCY),
      HTTP_BIND_ADDRESS: `127.0.0.1:${await freePort()}`,
    },
  };
}

/** A command of the bundle, as the image runs it. */
export async function bundleCommand(name: string): Promise<Command> {
  const { flags, env } = await readImage();
  return { program: process.execPath, args: [...flags, OPERATOR_BUNDLE, name], env: { ...inherited(), ...env } };
}

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'operator',
    description: 'this operator: the bundle of `npm run build` on Node.js',
    watches: true,
    build: async () => writeFiles(await bundleOperator()),
    command: (target) => operatorCommand(OPERATOR_BUNDLE, target),
  },
  {
    name: 'controller-runtime',
    description: "the same work on Go's controller-runtime",
    watches: true,
    build: async () => {
      const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', PEER_BINARY, '.'];
      await promisify(execFile)('go', args, { cwd: path.join(PEERS, 'controller-runtime') });
    },
    command: async (target) => ({
      program: PEER_BINARY,
      args: [],
      env: { ...peerEnvironment(target), HTTP_BIND_ADDRESS: `127.0.0.1:${await freePort()}` },
    }),
  },
  {
    name: 'client-node',
    description: "the same work on @kubernetes/client-node's own informer and API classes",
    watches: true,
    ...bundledPeer('client-node'),
  },
  {
    name: 'floor',
    description: 'a bare loop over undici that sends the same GETs, PATCHes and events, and nothing else',
    watches: false,
    ...bundledPeer('floor'),
  },
];

/** The environment of the image, and what stands between node and the program in its command. */
async function readImage(): Promise<{
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}> {
  const dockerfile = await readFile(path.join(ROOT, 'Dockerfile'), 'utf8');
  const [, command = ''] = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile) ?? [];
  const variables = dockerfile.matchAll(/^ENV (\w+)=(\S+)$/gm);
  return {
    flags: z.array(z.string()).min(2).parse(JSON.parse(command)).slice(1, -1),
    env: Object.fromEntries(variables.map(([, name = '', value = '']) => [name, value])),
  };
}

function bundledPeer(name: string): Pick<Subject, 'build' | 'command'> {
  const program = `bench-${name}`;
  return {
    build: async () => writeFiles(await bundle(`bench/peers/${name}/main.ts`, program)),
    command: (target) =>
      Promise.resolve({
        program: process.execPath,
        args: [path.join(DIST, `${program}.cjs`)],
        env: peerEnvironment(target),
      }),
  };
}

async function writeFiles(files: readonly BundleFile[]): Promise<void> {
  await mkdir(DIST, { recursive: true });
  for (const { name, content } of files) await writeFile(path.join(DIST, name), content);
}

const peerEnvironment = ({ kubeconfig, atlasUrl }: Target): Readonly<Record<string, string>> => ({
  ...inherited(),
  KUBECONFIG: kubeconfig,
  ATLAS_BASE_URL: atlasUrl,
  CONCURRENCY: String(CONCURRENCY),
});

function inherited(): Readonly<Record<string, string>> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME };
}
