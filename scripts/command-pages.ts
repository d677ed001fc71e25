/** docs/get.md, docs/list.md and docs/download.md: the commands that ask Atlas, from their flags and exit codes. */
import { FILE_FLAGS, VARIABLES } from '../src/command/credentials.ts';
import { type ExitCodeDescription, listExitCodes } from '../src/command/exit-codes.ts';
import type { FlagDescription } from '../src/config/flags.ts';
import { DOWNLOAD_EXIT_CODES } from '../src/download/exit-codes.ts';
import { listDownloadFlags } from '../src/download/options.ts';
import { listGetFlags } from '../src/get/options.ts';
import { LIST_EXIT_CODES } from '../src/list/exit-codes.ts';
import { listListFlags } from '../src/list/options.ts';
import { DOWNLOAD_FAULTS } from '../test/support/download-faults.ts';
import { markdownTable } from './markdown-table.ts';
import { code, generatedPage } from './pages.ts';

/** docs/get.md */
export function getPage(): string {
  return generatedPage(
    'The get command',
    'Fetches one restore job from Atlas and prints it, once or until it has ended. It needs no cluster and changes nothing.',
    '```sh\nlegacy-restore-operator get --group-id 5a66666887d9d61443b41645 --cluster-name Cluster0 --job-id 6b77893b80eef5354c77ee15\n```',
    WAYS_TO_RUN,
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
    'Lists the restore jobs of a cluster, newest first: all pages, and each job once. It needs no Kubernetes cluster and changes nothing. It finds the ids of restores, and creates the resources that mirror them:',
    '```sh\nlegacy-restore-operator list --group-id 5a66666887d9d61443b41645 --cluster-name Cluster0\nlegacy-restore-operator list --group-id 5a66666887d9d61443b41645 --cluster-name Cluster0 --status IN_PROGRESS \\\n  -o manifests --credentials-secret atlas-account | kubectl apply -f -\n```',
    WAYS_TO_RUN,
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
          'one LegacyRestoreJob per job for `kubectl apply -f -`, with the name `<cluster name in lower case>-<job id>`. Applying them again changes nothing.',
        ],
      ],
    ),
    'What gives access to the data (`url`, `urlV2` and `authValue` of the delivery, and links to the download) is omitted unless `--show-url` is set. A job whose id does not have 24 hexadecimal digits is omitted from `name` and `manifests`.',
    'A list costs one request per 500 jobs.',
    ...exitCodes(listExitCodes(LIST_EXIT_CODES)),
  );
}

/** docs/download.md */
export function downloadPage(): string {
  return generatedPage(
    'The download command',
    "Brings the file of a restore job into a directory and compares its hash with Atlas's. It goes on where it was interrupted, within a run and across runs, and never leaves wrong bytes under the file's name.",
    '```sh\nlegacy-restore-operator download --group-id 5a66666887d9d61443b41645 --cluster-name Cluster0 --job-id 6b77893b80eef5354c77ee15 \\\n  --wait --directory /restore\n```',
    'In a cluster it takes job, URL and hash from a LegacyRestoreJob, with the service account of its pod, and needs no Atlas credentials:',
    '```sh\nlegacy-restore-operator download --resource payments/cluster0-friday --wait --directory /restore\n```',
    WAYS_TO_RUN,
    ...flags(listDownloadFlags()),
    ...credentials(),
    'With `--resource`, no Atlas credentials are read. The service account needs `get` on the resource and on its delivery Secret. If it may also `patch` the resource, the command requests a reconcile once a minute while it waits for the hash, so that the hash comes sooner than in 10 minutes.',
    '## What it does',
    '1. If the file is there with a `.sha1` that equals the hash of Atlas, it ends at once: no request goes to the download host. A file without `.sha1` is read and compared, and never changed. `--force` fetches it again.\n2. It prefers `urlV2` with its header to `url`. The header goes only to the origin of the URL, and the credentials of the API to neither. It follows at most 5 redirects, https only.\n3. It writes to `NAME.part` (mode 0600) and computes SHA-1 on the way. `NAME.part.json` says which job the part belongs to, and that a process is writing it: another process waits for up to a minute, then exits with code 11.\n4. It tries again when the transfer breaks, when the host is silent for a minute, and after 429 and 5xx: with a back-off, until 10 tries in a row have brought no new byte. It resumes if the host serves ranges, and starts over if not. Atlas may count each request for the whole file against `maxDownloads`. The command looks at the job before each such request, and ends when the download has expired or is used up.\n5. Atlas makes the hash after the download. The command asks for it every 10 seconds, for at most `--hash-timeout`.',
    'The bytes of a file may not belong together if it was resumed and the host gave no strong ETag, if only the end of the connection told the end of the file, if the host says that it encoded the file (`Content-Encoding`), or if a process that wrote it was killed together with its machine, or on another one. Only the hash of Atlas makes a file of such a part: a wrong hash makes the command start over once, and without a hash it stays `NAME.part`.',
    '## Files',
    markdownTable(
      ['file', 'meaning'],
      [
        ['`NAME`', 'the file: verified if `NAME.sha1` is beside it'],
        ['`NAME.sha1`', 'the hash of Atlas, for `sha1sum --check`'],
        ['`NAME.part`, `NAME.part.json`', 'a download that has not ended; run the command again to go on'],
        ['`NAME.corrupt`', 'a file whose hash is not that of Atlas: do not use it'],
      ],
    ),
    'NAME is the last segment of the URL, or `--file-name`.',
    '## Output',
    'The result goes to standard output, everything else to standard error: on a terminal one updating line, else one line every 10 seconds. URLs, the value of the header and credentials are never printed.',
    '`-o json` prints one object whenever there is a file, also with exit codes 9 and 10:',
    '```json\n{"file":"/restore/shard-0.tar.gz","bytes":3221225472,"sha1":"86bc2f505c0874cdc0eaaa82ead2ef48aaf56d67","verified":true,"resumed":false,"seconds":61.4}\n```',
    ...exitCodes(listExitCodes(DOWNLOAD_EXIT_CODES)),
    '## Faults',
    'What happens when something fails. Each row is a test in `test/integration/download.test.ts`, with a file of 300,000 bytes.',
    markdownTable(
      ['fault', 'exit code', 'in the directory', 'requests to the download host'],
      DOWNLOAD_FAULTS.map(({ fault, exitCode, disk, requests }) => [
        fault,
        String(exitCode),
        disk.map(code).join(', '),
        requests.length === 0 ? 'none' : requests.join(', '),
      ]),
    ),
  );
}

const WAYS_TO_RUN =
  'It runs with npx, as a plugin of kubectl, or from the image of the operator: [how to install it](install.md#the-commands-on-your-machine).';

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
  'Use a service account or an API key with the role Project Read Only. There are three ways to pass it. The environment is used only if no flag names another one. Values are never passed on the command line, where the process list would show them.',
  markdownTable(
    ['way', 'service account', 'API key'],
    [
      [
        'files',
        `\`${FILE_FLAGS.clientId}\`, \`${FILE_FLAGS.clientSecret}\``,
        `\`${FILE_FLAGS.publicApiKey}\`, \`${FILE_FLAGS.privateApiKey}\``,
      ],
      [
        'Secret: `--secret namespace/name`, read with the kubeconfig',
        'keys `clientId`, `clientSecret`',
        'keys `publicApiKey`, `privateApiKey`, or `publicKey`, `privateKey`',
      ],
      [
        'environment',
        `\`${VARIABLES.clientId}\`, \`${VARIABLES.clientSecret}\``,
        `\`${VARIABLES.publicApiKey}\`, \`${VARIABLES.privateApiKey}\``,
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
