/** What a person does next about a restore job. */
import { REASONS } from '../api/reasons.ts';
import type { RestoreDelivery } from '../api/restore-job.ts';
import type { RestoreJobAnswer } from '../atlas/answer.ts';
import { deliveryState, expiresAt, hasUrl, isDownload, jobState } from '../controller/job-state.ts';

export interface TextOptions {
  readonly showUrl: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Lines of text; some are commands. */
export function nextSteps(answer: RestoreJobAnswer, options: TextOptions): readonly string[] {
  switch (jobState(answer.job)) {
    case 'running':
      return ['The job is running. The same command with --watch waits until it has finished.'];
    case 'broken':
    case 'killed':
      return ['The job will not finish. Create a new restore job in Atlas.'];
    case 'unknown':
      return ['This version does not know the status of the job. Look at the job in Atlas.'];
    case 'finished':
      return afterFinish(answer, options);
  }
}

function afterFinish(answer: RestoreJobAnswer, options: TextOptions): readonly string[] {
  const { delivery } = answer.job;
  if (delivery === undefined) return ['Atlas tells nothing of a delivery. Ask again later.'];
  if (!isDownload(delivery, hasUrl(delivery)))
    return ['There is nothing to download: Atlas brings the data to its target itself.'];
  switch (deliveryState(delivery)) {
    case 'ready':
      return (expiresAt(delivery) ?? Number.POSITIVE_INFINITY) <= options.now
        ? over('DownloadExpired')
        : [...download(delivery, options), ...check(answer)];
    case 'expired':
      return over('DownloadExpired');
    case 'exhausted':
      return over('MaxDownloadsExceeded');
    case 'failed':
      return over('DownloadFailed');
    case 'pending':
    case 'absent':
    case 'unknown':
      return [`${REASONS.DownloadPending.meaning} Ask again later.`];
  }
}

const over = (reason: 'DownloadExpired' | 'MaxDownloadsExceeded' | 'DownloadFailed'): readonly string[] => [
  `${REASONS[reason].meaning} ${REASONS[reason].remedy}`,
];

/** Placeholders, no values: a command that was shown is pasted, and so are quotes that Atlas or a proxy put into it. */
function download({ urlV2, authHeader }: RestoreDelivery, { showUrl }: TextOptions): readonly string[] {
  const what = urlV2 === undefined ? 'url' : 'url v2';
  const header =
    urlV2 === undefined || authHeader === undefined ? '' : ` --header '${word(authHeader)}: <header value>'`;
  return [
    `Download the file${showUrl ? '' : '; --show-url shows what to put in'}:`,
    `  curl --fail --remote-name${header} '<${what}>'`,
  ];
}

const word = (authHeader: string): string => (/^[\w-]+$/.test(authHeader) ? authHeader : '<header>');

function check({ job }: RestoreJobAnswer): readonly string[] {
  const [first] = job.hashes ?? [];
  if (first === undefined) return ['Then ask again: Atlas tells the hash of the file once it was downloaded.'];
  const { hash = '', fileName = '' } = first;
  return /^[0-9a-f]{40}$/.test(hash) && /^\w[\w.-]*$/.test(fileName)
    ? ['Then compare its hash:', `  echo '${hash}  ${fileName}' | sha1sum --check`]
    : ['Then compare its hash with the one above.'];
}
