/** The image, looked at by Docker alone. */
import assert from 'node:assert/strict';
import packageJson from '../../../package.json' with { type: 'json' };
import { CommandError, run } from '../commands.ts';
import { inspectImage } from '../images.ts';
import type { TestCase } from '../test-case.ts';

const MOST_ADDED_BYTES = 10_000_000;
/** As strict as a pod can be. */
const STRICT = ['--rm', '--read-only', '--network=none', '--cap-drop=ALL', '--security-opt=no-new-privileges'];

export const imageCases: readonly TestCase[] = [
  {
    name: 'image: adds at most 10 MB to its base, not root, no shell, no npm',
    run: async ({ programs: { docker }, images }) => {
      const [image, base] = await Promise.all([
        inspectImage(docker, images.operator),
        inspectImage(docker, images.runtimeBase),
      ]);
      const added = image.Size - base.Size;
      assert.ok(added <= MOST_ADDED_BYTES, `it adds ${added} bytes`);
      assert.match(image.Config.User, /^[1-9]\d*:[1-9]\d*$/, `its user is ${image.Config.User}`);
      const found = (await programsIn(docker, images.operator)).filter((file) =>
        /\/(sh|bash|busybox|npm|npx|apt)$/.test(file),
      );
      assert.deepEqual(found, [], `it contains ${found.join(', ')}`);
      return `${(added / 1e6).toFixed(1)} MB added, user ${image.Config.User}`;
    },
  },
  {
    name: 'image: runs with a read-only root file system and no capability, prints pretty logs',
    run: async ({ programs: { docker }, images }) => {
      const version = await run(docker, ['run', ...STRICT, images.operator, 'version']);
      assert.equal(version, `${packageJson.version}\n`);
      const env = ['--env=LOG_FORMAT=pretty', '--env=KUBECONFIG=/nonexistent'];
      const log = await failingOutput(docker, ['run', ...STRICT, ...env, images.operator, 'run']);
      assert.match(log, /ERROR.*the operator cannot start/, `with LOG_FORMAT=pretty it prints ${log}`);
      return `version ${version.trim()}`;
    },
  },
];

/** The programs in the image, listed by node: there is no shell to do it. */
async function programsIn(docker: string, image: string): Promise<readonly string[]> {
  const script = `
    const folders = ['/bin', '/sbin', '/usr/bin', '/usr/sbin', '/usr/local/bin', '/nodejs/bin', '/busybox'];
    const fs = require('node:fs');
    for (const folder of folders.filter((name) => fs.existsSync(name)))
      for (const name of fs.readdirSync(folder)) console.log(folder + '/' + name);`;
  const listed = await run(docker, ['run', ...STRICT, '--entrypoint=/nodejs/bin/node', image, '--eval', script]);
  return listed.trim().split('\n');
}

/** The output of a command that must fail. */
async function failingOutput(docker: string, args: readonly string[]): Promise<string> {
  try {
    await run(docker, args);
  } catch (error) {
    if (error instanceof CommandError) return error.stderr;
    throw error;
  }
  throw new Error(`docker ${args.join(' ')} did not fail`);
}
