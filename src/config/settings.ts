/** The settings: one flag and one environment variable each, validated once at start. */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { parseDuration } from '../api/duration.ts';
import { INTERVAL_BOUNDS } from '../api/legacy-restore-job.ts';

const flag = z.enum(['true', 'false'], { error: 'must be true or false' }).transform((text) => text === 'true');

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be between ${min} and ${max}`);

const duration = (min: number, max: number, range: string) =>
  z.string().transform((text, context) => {
    const milliseconds = parseDuration(text);
    if (milliseconds !== undefined && milliseconds >= min && milliseconds <= max) return milliseconds;
    context.addIssue({ code: 'custom', message: `must be a duration from ${range}, such as 90s or 1h30m` });
    return z.NEVER;
  });

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const namespaceList = z.string().transform((text, context) => {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.some((name) => name.length > 63 || !DNS_LABEL.test(name))) {
    context.addIssue({ code: 'custom', message: 'must be a comma-separated list of namespace names' });
    return z.NEVER;
  }
  return [...new Set(names)];
});
const objectName = z
  .string()
  .max(253, 'must be at most 253 characters')
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be the name of a Kubernetes object');

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const baseUrl = z.string().transform((text, context) => {
  const url = URL.parse(text);
  const problem = baseUrlProblem(url);
  if (problem === undefined && url !== null) return url.origin + url.pathname.replace(/\/+$/, '');
  context.addIssue({ code: 'custom', message: problem ?? 'must be a URL' });
  return z.NEVER;
});

function baseUrlProblem(url: URL | null): string | undefined {
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return 'must be an https:// URL';
  // Credentials are sent to this address: plain HTTP would show them to the network.
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) return 'must be https, except for loopback hosts';
  if (url.username !== '' || url.password !== '') return 'must not contain credentials';
  if (url.search !== '' || url.hash !== '') return 'must have neither query nor fragment';
  return undefined;
}

const bindAddress = z.string().transform((text, context) => {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match !== null && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port };
  context.addIssue({ code: 'custom', message: 'must be host:port or :port' });
  return z.NEVER;
});

/** A setting with the text that applies when it is not given; `shown` is how documentation names that default. */
const setting = <T>(schema: z.ZodType<T, string>, fallback: string, description: string, shown = fallback) =>
  schema.prefault(fallback).meta({ description, fallback: shown });

/** Every setting. The flag is the name in kebab case, the variable the same in upper case with underscores. */
const Settings = z.object({
  atlasBaseUrl: setting(
    baseUrl,
    'https://cloud.mongodb.com',
    'Address of Atlas. https only, except for loopback hosts.',
  ),
  atlasRequestsPerMinute: setting(
    integer(0, 1_000_000),
    '100',
    'Most requests per minute for each project and credential; 0 means no client-side limit.',
  ),
  atlasTimeout: setting(
    duration(100, 600_000, '100ms to 10m'),
    '10s',
    'Deadline of one request to Atlas, from connecting to the last byte.',
  ),
  atlasEnvelope: setting(flag, 'false', "The endpoint's query parameter envelope."),
  atlasPretty: setting(flag, 'false', "The endpoint's query parameter pretty."),
  namespaces: setting(
    namespaceList,
    '',
    'Comma-separated namespaces to work in. When given, Roles in them suffice and no ClusterRole is needed.',
    'all',
  ),
  defaultInterval: setting(
    duration(INTERVAL_BOUNDS.min, INTERVAL_BOUNDS.max, '10s to 24h'),
    '1m',
    'How often Atlas is asked for a running job where spec.interval is absent.',
  ),
  concurrency: setting(integer(1, 1_000), '16', 'Most resources visited at the same time.'),
  deliveryUrlInStatus: setting(
    flag,
    'true',
    'Whether download URLs are mirrored into status where spec.deliverySecretName is absent.',
  ),
  defaultCredentialsDir: setting(
    z.string(),
    '',
    'Folder with the default credentials: a mounted Secret, its files named as its keys.',
    'off',
  ),
  defaultCredentialsNamespaces: setting(
    namespaceList,
    '',
    'Comma-separated namespaces that may use the default credentials.',
    'none',
  ),
  leaderElect: setting(
    flag,
    'false',
    'Whether replicas elect a leader, which alone talks to Atlas and writes. The chart sets true.',
  ),
  leaseName: setting(objectName, 'legacy-restore-operator', 'Name of the Lease of the election.'),
  leaseNamespace: setting(
    z.union([z.literal(''), objectName]),
    '',
    'Namespace of the Lease.',
    "the pod's namespace, else that of the kubeconfig's context",
  ),
  httpBindAddress: setting(bindAddress, ':8080', 'Where /livez, /readyz and /metrics are served.'),
  logLevel: setting(
    z.enum(['trace', 'debug', 'info', 'warn', 'error'], { error: 'must be trace, debug, info, warn or error' }),
    'info',
    'Least severe level that is logged.',
  ),
  logFormat: setting(
    z.enum(['json', 'pretty'], { error: 'must be json or pretty' }),
    'json',
    'json for machines, pretty for people.',
  ),
});
/** All settings, read and checked; times are in milliseconds. */
export type Settings = Readonly<z.output<typeof Settings>>;

export type SettingsResult =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Reads all settings; a flag wins over its variable, and an empty variable counts as absent. All problems are
 * reported at once, each naming the flag or the variable, never the value: a secret pasted into the wrong place must
 * not reach a log.
 */
export function readSettings(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): SettingsResult {
  const { flags, problems } = readFlags(args);
  const given: Record<string, string | undefined> = {};
  for (const { key, name, variable } of listSettings())
    given[key] = flags.get(name) ?? (environment[variable] || undefined);
  const result = Settings.safeParse(given);
  if (result.success) problems.push(...contradictions(result.data));
  else problems.push(...result.error.issues.map((issue) => `${source(String(issue.path[0]), flags)} ${issue.message}`));
  return result.success && problems.length === 0 ? { ok: true, settings: result.data } : { ok: false, problems };
}

/** One setting as documentation and `--help` print it. */
export interface SettingDescription {
  readonly key: string;
  readonly name: string;
  readonly variable: string;
  readonly fallback: string;
  readonly description: string;
}

/** All settings in the order of the documentation. */
export function listSettings(): readonly SettingDescription[] {
  return Object.entries(Settings.shape).map(([key, schema]) => {
    const { description = '', fallback } = schema.meta() ?? {};
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return { key, name, variable: name.toUpperCase().replaceAll('-', '_'), fallback: String(fallback), description };
  });
}

function source(key: string, flags: ReadonlyMap<string, string>): string {
  const found = listSettings().find((entry) => entry.key === key);
  if (found === undefined) return key;
  return flags.has(found.name) ? `--${found.name}` : found.variable;
}

/** The problems of settings that are each right but not together. */
function contradictions(settings: Settings): string[] {
  const directory = settings.defaultCredentialsDir !== '';
  const namespaces = settings.defaultCredentialsNamespaces.length > 0;
  if (directory && !namespaces)
    return ['DEFAULT_CREDENTIALS_DIR needs DEFAULT_CREDENTIALS_NAMESPACES: who may use them'];
  if (namespaces && !directory)
    return ['DEFAULT_CREDENTIALS_NAMESPACES needs DEFAULT_CREDENTIALS_DIR: what they may use'];
  return [];
}

function readFlags(args: readonly string[]): { flags: ReadonlyMap<string, string>; problems: string[] } {
  const options = Object.fromEntries(listSettings().map(({ name }) => [name, { type: 'string' as const }]));
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true, allowPositionals: true });
  const flags = new Map<string, string>();
  const problems: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') problems.push(`argument ${token.index + 1} is not a flag; flags are --name=value`);
    if (token.kind !== 'option') continue;
    if (!Object.hasOwn(options, token.name)) problems.push(`${token.rawName} is not a flag of this command`);
    else if (token.value === undefined) problems.push(`${token.rawName} needs a value`);
    else flags.set(token.name, token.value);
  }
  return { flags, problems };
}
