/** The command line. */
import { dump } from 'js-yaml';
import packageJson from '../package.json' with { type: 'json' };
import { customResourceDefinition } from './api/crd.ts';
import type { CommandProcess } from './command/command.ts';
import { listSettings, readSettings } from './config/settings.ts';
import { download } from './download/download.ts';
import { get } from './get/get.ts';
import { KubeConfigError } from './kube/kubeconfig-error.ts';
import { list } from './list/list.ts';
import { proxyProblems } from './net/proxy.ts';
import { trustSystemCertificates } from './net/trusted-certificates.ts';
import { run } from './run/run.ts';
import { createLevelSwitch } from './telemetry/level-switch.ts';
import { createLog, errorFields } from './telemetry/log.ts';

const USAGE = `Usage: legacy-restore-operator <command> [--name=value | --name value …]

Commands:
  run         mirror restore jobs into LegacyRestoreJob resources in a cluster
  get         fetch one restore job from Atlas and print it, without a cluster; get --help tells more
  list        list the restore jobs of a cluster, also as resources for kubectl apply; list --help tells more
  download    bring the file of a restore job into a directory and verify it; download --help tells more
  print-crds  print the CustomResourceDefinition
  version     print the version
  help        print this text

Settings of run (flag, environment variable, default):
`;

/** Wrong usage or settings. */
const EXIT_USAGE = 2;

const [command = '', ...args] = process.argv.slice(2);
// `head` closes the pipe once it has its lines, and `2>&1` that of standard error with it: that is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (!('code' in error) || error.code !== 'EPIPE') throw error;
  });
}
// No top-level await: the bundle is CommonJS.
void main(command, args).then((exitCode) => {
  process.exitCode = exitCode;
});

async function main(name: string, flags: readonly string[]): Promise<number> {
  switch (name) {
    case 'run':
      return flags.some(isHelp) ? print(help()) : runOperator(flags);
    case 'get':
      return askAtlas(get, flags);
    case 'list':
      return askAtlas(list, flags);
    case 'download':
      return askAtlas(download, flags);
    case 'print-crds':
      return print(dump(customResourceDefinition(), { lineWidth: 120, noRefs: true }));
    case 'version':
      return print(`${packageJson.version}\n`);
    case 'help':
    case '--help':
    case '-h':
      return print(help());
    // Whoever types only the name of the program must not start an operator on the current kubeconfig.
    case '':
      process.stderr.write(help());
      return EXIT_USAGE;
    default:
      if (name.startsWith('-'))
        console.error('the first argument must be a command; legacy-restore-operator help lists them');
      else console.error(`"${name}" is not a command; legacy-restore-operator help lists them`);
      return EXIT_USAGE;
  }
}

async function askAtlas(
  ask: (flags: readonly string[], own: CommandProcess) => Promise<number>,
  flags: readonly string[],
): Promise<number> {
  const stop = onSignal();
  const { env, stdout, stderr } = process;
  const exitCode = await ask(flags, { env, stdout, stderr, stop, version: packageJson.version });
  // A connection whose other side never says a word keeps the process until it is given up: undici cannot end it.
  if (stop.aborted || (stdout.writableLength === 0 && stderr.writableLength === 0)) process.exit(exitCode);
  return exitCode;
}

async function runOperator(flags: readonly string[]): Promise<number> {
  const levels = createLevelSwitch();
  const result = readSettings(flags, process.env);
  const problems = [...(result.ok ? [] : result.problems), ...proxyProblems(process.env)];
  if (!result.ok || problems.length > 0) {
    console.error(`Wrong settings:\n${problems.map((problem) => `  ${problem}\n`).join('')}`);
    return EXIT_USAGE;
  }
  const { settings } = result;
  const log = await createLog({ level: settings.logLevel, format: settings.logFormat, version: packageJson.version });
  levels.attach(log, settings.logLevel);
  for (const problem of trustSystemCertificates(process.env)) log.warn(problem);
  try {
    return await run(settings, log, onSignal());
  } catch (error) {
    log.error(errorFields(error), 'the operator cannot start');
    return error instanceof KubeConfigError ? EXIT_USAGE : 1;
  }
}

/** Aborted by the first SIGTERM or SIGINT; a second one ends the process at once. */
function onSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => stop.abort(new Error(signal)));
  }
  return stop.signal;
}

function isHelp(flag: string): boolean {
  return flag === '--help' || flag === '-h';
}

function help(): string {
  const settings = listSettings()
    .map(
      ({ name, variable, fallback, description }) =>
        `  --${name}, ${variable} (${fallback || 'none'})\n      ${description}\n`,
    )
    .join('');
  return USAGE + settings;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
