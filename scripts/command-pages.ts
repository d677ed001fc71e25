/** docs/get.md and docs/list.md: the commands that ask Atlas, from their flags and exit codes. */
import { FILE_FLAGS, VARIABLES } from '../src/command/credentials.ts';
import { type ExitCodeDescription, listExitCodes } from '../src/command/exit-codes.ts';
import type { FlagDescription } from '../src/config/flags.ts';
import { listGetFlags } from '../src/get/options.ts';
import { LIST_EXIT_CODES } from '../src/list/exit-codes.ts';
import { listListFlags } from '../src/list/options.ts';
import { markdownTable } from './markdown-table.ts';
import { code, generatedPage } from './pages.ts';

/** docs/get.md */
export function getPage(): string {
  return generatedPage(
    'The get command',
    'Fetches one restore job from Atlas and prints it, once or until it has ended. It needs no cluster and changes nothing.',
    '```sh\nlegacy-restore-operator get --group-id 5a66666887d9d61443b41645 --cluster-name Cluster0 --job-id 6b77893b80eef5354c77ee15\n```',
    ...flags(listGetFlags()),
    ...credentials(),
    '## Output',
    "The job goes to standard output, everything else to standard error. `json` and `yaml` contain Atlas's fields under Atlas's names. What gives access to the data (`url`, `urlV2` and `authValue` of the delivery, and links to the download) is omitted unless `--show-url` is set.",
    '## Watching',
    'With `--watch`, the state is one updating line on a terminal, else one line per change and at least one per minute. It goes to standard error; the job is printed at the end.',
    [
      '- `--for=job` waits until the job has finished, broken or been killed. `--for=download` waits until the file can be downloaded, and ends with code 8 as soon as it is clear that it never can be: the download is over, or the restore goes into a cluster.',
      '- `--timeout` limits the wait. When it has passed, the exit code is 3, or 7 if Atlas was away.',
      '- Outages and rate limits are shown, and waited for as long as they last or as Atlas asks. An error that someone must fix ends the command, and so does a response that is not from Atlas, such as the page of a proxy, after five minutes.',
    ].join('\n'),
    ...exitCodes(listExitCodes()),
  );
}

/** docs/list.md */
export function listPage(): string {
  return generatedPage(
    'The list command',
    'Lists the restore jobs of a cluster, newest first: all pages, and each job once. It needs no cluster of Kubernetes and changes nothing. It finds the ids of restores, and creates the resources that mirror them:',
    '```sh\nlegacy-restore-operator list --group-id 5a66666887d9d61443b41645 --cluster-name Cluster0\nlegacy-restore-operator list --group-id 5a66666887d9d61443b41645 --cluster-name Cluster0 --status IN_PROGRESS \\\n  -o manifests --credentials-secret atlas-key | kubectl apply -f -\n```',
    ...flags(listListFlags()),
    ...credentials(),
    '`--secret` names the credentials that the command itself uses. `--credentials-secret` is the name that the resources refer to, in their own namespace.',
    '## Output',
    'The jobs go to standard output, everything else to standard error. If there are none, standard error says so and the exit code is 0.',
    markdownTable(
      ['`-o`', 'output'],
      [
        ['`text`', 'a table with the columns JOB, CREATED, STATUS, DELIVERY, EXPIRES and BATCH'],
        ['`json`, `yaml`', "one list, with Atlas's fields under Atlas's names"],
        ['`name`', 'the ids, one per line'],
        [
          '`manifests`',
          'one LegacyRestoreJob per job for `kubectl apply -f -`, with the name `<cluster name in lower case>-<job id>`. To apply them again changes nothing.',
        ],
      ],
    ),
    'What gives access to the data (`url`, `urlV2` and `authValue` of the delivery, and links to the download) is omitted unless `--show-url` is set. A job whose id does not have 24 hexadecimal digits is omitted from `name` and `manifests`.',
    'A list costs one request per 500 jobs.',
    ...exitCodes(listExitCodes(LIST_EXIT_CODES)),
  );
}

function flags(descriptions: readonly FlagDescription[]): readonly string[] {
  const rows = descriptions.map((entry) => [
    spelled(entry),
    entry.fallback === '' ? '' : code(entry.fallback),
    entry.description,
  ]);
  return [
    '## Flags',
    markdownTable(['flag', 'default', 'meaning'], rows),
    'A flag is given as `--name=value` or `--name value`. The command checks all flags before it reads or sends anything: it lists every wrong one and exits with code 2.',
  ];
}

const credentials = (): readonly string[] => [
  '## Credentials',
  'Use an API key or a service account with the role Project Read Only. There are three ways to pass it. The environment is used only if no flag names another one. Values are never passed on the command line, where the process list would show them.',
  markdownTable(
    ['way', 'API key', 'service account'],
    [
      [
        'files',
        `\`${FILE_FLAGS.publicApiKey}\`, \`${FILE_FLAGS.privateApiKey}\``,
        `\`${FILE_FLAGS.clientId}\`, \`${FILE_FLAGS.clientSecret}\``,
      ],
      [
        'Secret: `--secret namespace/name`, read with the kubeconfig',
        'keys `publicApiKey`, `privateApiKey`',
        'keys `clientId`, `clientSecret`',
      ],
      [
        'environment',
        `\`${VARIABLES.publicApiKey}\`, \`${VARIABLES.privateApiKey}\``,
        `\`${VARIABLES.clientId}\`, \`${VARIABLES.clientSecret}\``,
      ],
    ],
  ),
];

const exitCodes = (descriptions: readonly ExitCodeDescription[]): readonly string[] => [
  '## Exit codes',
  markdownTable(
    ['code', 'meaning', 'reasons of errors'],
    descriptions.map(({ code: exitCode, meaning, reasons }) => [
      String(exitCode),
      meaning,
      reasons.map((reason) => `\`${reason}\``).join(', '),
    ]),
  ),
];

function spelled({ name, short, takes, variable }: FlagDescription): string {
  const names = [`--${name}${takes === 'value' ? '=…' : ''}`, ...(short === undefined ? [] : [`-${short}`])];
  return [...names, ...(variable === undefined ? [] : [variable])].map((text) => `\`${text}\``).join(', ');
}
