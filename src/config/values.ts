/** One schema for each kind of value of a flag or a variable. Problems never repeat a value that can be a secret. */
import * as z from 'zod';
import { parseDuration } from '../api/duration.ts';

/** `true` or `false`. */
export const boolean = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((text) => text === 'true');

export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be between ${min} and ${max}`);

/** A Go-style duration, as milliseconds; `range` is how the problem describes the bounds. */
export const duration = (min: number, max: number, range: string) =>
  z.string().transform((text, context) => {
    const milliseconds = parseDuration(text);
    if (milliseconds !== undefined && milliseconds >= min && milliseconds <= max) return milliseconds;
    context.addIssue({ code: 'custom', message: `must be a duration from ${range}, such as 90s or 1h30m` });
    return z.NEVER;
  });

/** Whether a text can be the name of a namespace. */
export const isNamespaceName = (text: string): boolean =>
  text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text);

export const namespaceList = z.string().transform((text, context) => {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (!names.every(isNamespaceName)) {
    context.addIssue({ code: 'custom', message: 'must be a comma-separated list of namespace names' });
    return z.NEVER;
  }
  return [...new Set(names)];
});

export const objectName = z
  .string()
  .max(253, 'must be at most 253 characters')
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be the name of a Kubernetes object');

const LABEL_NAME = '[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const DNS_LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const LABEL_KEY = String.raw`(?:(?=[^/]{1,253}/)${DNS_LABEL}(?:\.${DNS_LABEL})*/)?${LABEL_NAME}`;
const SPACE = String.raw`[ \t\r\n]*`;
const LABEL_VALUE = `${SPACE}(?:${LABEL_NAME}${SPACE})?`;
const REQUIREMENT = [
  `!${SPACE}${LABEL_KEY}${SPACE}`,
  `${LABEL_KEY}${SPACE}`,
  `${LABEL_KEY}${SPACE}(?:==?|!=)${LABEL_VALUE}`,
  String.raw`${LABEL_KEY}${SPACE}[<>]${SPACE}\d{1,18}${SPACE}`,
  String.raw`${LABEL_KEY}[ \t\r\n]${SPACE}(?:not)?in${SPACE}\(${LABEL_VALUE}(?:,${LABEL_VALUE})*\)${SPACE}`,
].join('|');
/** A label selector with the grammar of `labels.Parse` in k8s.io/apimachinery; empty for everything. */
export const labelSelector = z
  .string()
  .regex(
    new RegExp(`^(?:${SPACE}(?:${REQUIREMENT})(?:,${SPACE}(?:${REQUIREMENT}))*)?$`),
    'must be a Kubernetes label selector, such as shard=a, shard in (a,b) or !shard',
  );

/** An address without a slash at the end. Whether it may be plain HTTP depends on other settings. */
export const baseUrl = z.string().transform((text, context) => {
  const url = URL.parse(text);
  const problem = baseUrlProblem(url);
  if (problem === undefined && url !== null) return withoutSlashAtEnd(url.origin + url.pathname);
  context.addIssue({ code: 'custom', message: problem ?? 'must be a URL' });
  return z.NEVER;
});

function baseUrlProblem(url: URL | null): string | undefined {
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return 'must be an https:// URL';
  if (url.username !== '' || url.password !== '') return 'must not contain credentials';
  if (url.search !== '' || url.hash !== '') return 'must have neither query nor fragment';
  const api = API_PATH.exec(url.pathname);
  if (api === null) return undefined;
  return `must not contain the path of the API: use ${withoutSlashAtEnd(url.origin + url.pathname.slice(0, api.index))}`;
}

/** What requests add to the base URL. */
const API_PATH = /^\/+api(\/|$)|\/api\/+(atlas|public|oauth)(\/|$)/;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether requests to this address would show their credentials to the network. */
export function isPlainHttp(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === 'http:' && !LOOPBACK.test(url.hostname);
}

const withoutSlashAtEnd = (text: string): string => text.replace(/\/+$/, '');

/** `host:port` or `:port`. */
export const bindAddress = z.string().transform((text, context) => {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match !== null && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port };
  context.addIssue({ code: 'custom', message: 'must be host:port or :port' });
  return z.NEVER;
});
