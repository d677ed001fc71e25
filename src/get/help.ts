/** What `get --help` prints. */
import { FILE_FLAGS, VARIABLES } from './credentials-source.ts';
import { listExitCodes } from './exit-codes.ts';
import { listGetFlags } from './options.ts';

/** The whole text. */
export const getHelp =
  (): string => `Usage: legacy-restore-operator get --group-id=… --cluster-name=… --job-id=… [flags]

Fetches one restore job from Atlas and prints it. No cluster is needed.

Flags:
${flags()}
Credentials, of an API key or of a service account: from files (${FILE_FLAGS.publicApiKey} and
${FILE_FLAGS.privateApiKey}, or ${FILE_FLAGS.clientId} and ${FILE_FLAGS.clientSecret}), or from a Secret
(--secret), or else from the environment (${VARIABLES.publicApiKey} and
${VARIABLES.privateApiKey}, or ${VARIABLES.clientId} and ${VARIABLES.clientSecret}).

Exit codes:
${exitCodes()}`;

const flags = (): string =>
  listGetFlags()
    .map(({ name, short, takes, variable, fallback, description }) => {
      const spelled = [short === undefined ? '' : `-${short}, `, `--${name}`, takes === 'value' ? '=…' : ''].join('');
      const environment = variable === undefined ? '' : `, ${variable}`;
      return `  ${spelled}${environment}${fallback === '' ? '' : ` (${fallback})`}\n      ${description}\n`;
    })
    .join('');

const exitCodes = (): string =>
  listExitCodes()
    .map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}\n`)
    .join('');
