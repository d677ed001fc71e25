/** Sentences for people, rendered last from typed facts. Nothing reads them back. */
import type { ApiError } from '../api/api-error.ts';
import { type AtlasApi, sentenceFor, serverName } from '../api/atlas-api.ts';
import { printable } from '../api/printable.ts';
import { kubeTime } from '../api/time.ts';
import { failureOf, type Observation } from './conditions.ts';
import type { Failure } from './failure.ts';
import { type Audience, meaningOf, type Reason, remedyOf } from './reasons.ts';
import { expiresAt } from './state.ts';

/** The message of a condition with that reason. `api`: which one was asked. */
export function messageOf(reason: Reason, observation: Observation, api: AtlasApi): string {
  const failure = failureOf(observation);
  if (failure?.reason === reason) return failureMessage(failure, 'resource', api);
  switch (reason) {
    case 'JobFetched':
      return fetchedMessage(observation, api);
    case 'JobStatusUnknown':
      return unknownStatusMessage(observation, api);
    case 'DownloadReady':
      return untilExpires(observation, meaningOf(reason, api));
    case 'DownloadExpiring':
      return `${untilExpires(observation, meaningOf('DownloadReady', api))} ${explain(reason, 'resource', api)}`;
    default:
      return explain(reason, 'resource', api);
  }
}

/** What failed and what to do about it. */
export function failureMessage(failure: Failure, audience: Audience, api: AtlasApi): string {
  const errorCode = failure.origin === 'atlas' ? (failure.apiError?.errorCode ?? failure.code) : undefined;
  return `${causeOf(failure, api)} ${remedyOf(failure.reason, errorCode, audience, api)}`.trim();
}

/** What a reason means and what to do about it. */
export const explain = (reason: Reason, audience: Audience, api: AtlasApi): string =>
  `${meaningOf(reason, api)} ${remedyOf(reason, undefined, audience, api)}`.trim();

/** What happened, in one sentence. */
function causeOf(failure: Failure, api: AtlasApi): string {
  switch (failure.origin) {
    case 'atlas':
      return sentence(
        failure.apiError === undefined ? sentenceFor(api, failure.detail) : apiErrorInWords(failure.apiError, api),
      );
    case 'kubernetes':
      return sentence(refusalInWords(failure));
    case 'content':
      return sentence(failure.detail);
  }
}

function apiErrorInWords(apiError: ApiError, api: AtlasApi): string {
  const { error, errorCode = '', reason = '', detail = '', badRequestDetail } = apiError;
  const said = printable(detail === '' ? reason : detail, MAX_DETAIL);
  const fields = (badRequestDetail?.fields ?? []).map(({ field = '', description = '' }) =>
    printable([field, description].filter((part) => part !== '').join(': '), MAX_FIELD),
  );
  const named = fields.length === 0 ? '' : `fields ${listed(fields)}`;
  const explained = [said, named].filter((part) => part !== '').join('; ');
  return [
    `${serverName(api)} answered ${error}`,
    printable(errorCode, MAX_NAME),
    explained === '' ? '' : `(${explained})`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function refusalInWords({
  verb,
  object,
  code,
  isForbidden,
  statusMessage,
}: Extract<Failure, { origin: 'kubernetes' }>): string {
  if (code === 404) return `${object} does not exist`;
  const said = statusMessage === '' ? '' : `: ${printable(statusMessage, MAX_DETAIL)}`;
  return isForbidden ? `The operator may not ${verb} ${object}${said}` : `${object} cannot be ${PAST[verb]}${said}`;
}

const PAST = { read: 'read', write: 'written' } as const;

function fetchedMessage({ content, sync }: Observation, api: AtlasApi): string {
  const explained = explain('JobFetched', 'resource', api);
  if (sync.kind !== 'fetched') return explained;
  const { dropped, hashCount, job } = sync.response;
  return [
    explained,
    dropped.length === 0
      ? ''
      : `Left out, because they are null, too long or of another type than documented: ${listed(dropped)}.`,
    keptOf('hashes', content.hashes?.length, hashCount),
    keptOf('links', content.links?.length, job.links?.length),
  ]
    .filter((part) => part !== '')
    .join(' ');
}

const keptOf = (field: string, kept = 0, all = 0): string => (kept < all ? `${field} holds ${kept} of ${all}.` : '');

function unknownStatusMessage({ content }: Observation, api: AtlasApi): string {
  const said = `${serverName(api)} says: ${printable(content.statusName ?? 'nothing', MAX_NAME)}.`;
  const remedy = remedyOf('JobStatusUnknown', undefined, 'resource', api);
  return `${meaningOf('JobStatusUnknown', api)} ${said} ${remedy}`;
}

/** The time itself, not what is left of it: a message that counted down would be written at every reconcile. */
function untilExpires({ content: { delivery } }: Observation, meaning: string): string {
  const expires = delivery === undefined ? undefined : expiresAt(delivery);
  return expires === undefined ? meaning : `${meaning.replace(/\.$/, '')} until ${kubeTime(expires)}.`;
}

const MAX_NAME = 64;
const MAX_DETAIL = 300;
const MAX_FIELD = 100;
const MAX_LISTED = 10;

function listed(names: readonly string[]): string {
  const more = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : '';
  return `${names.slice(0, MAX_LISTED).join(', ')}${more}`;
}

const sentence = (text: string): string => `${text.replace(/\.$/, '')}.`;
