/** The settings: one flag and one environment variable each, validated once at startup. */
import * as z from 'zod';
import { ATLAS_APIS, type AtlasApi } from '../api/atlas-api.ts';
import { INTERVAL_BOUNDS } from '../api/legacy-restore-job.ts';
import { describeFlags, type FlagDescription, flag, type GivenFlags, readFlags } from './flags.ts';
import {
  baseUrl,
  bindAddress,
  boolean,
  duration,
  integer,
  isPlainHttp,
  labelSelector,
  namespaceList,
  objectName,
} from './values.ts';

/** A setting with the text that applies if it is not given; `shown` is how the documentation names that default. */
const setting = <T>(schema: z.ZodType<T, string>, fallback: string, description: string, shown = fallback) =>
  flag(schema.prefault(fallback), { description, fallback: shown, takes: 'value', variable: true });

/** Every setting. */
export const Settings = z.object({
  atlasBaseUrl: setting(
    baseUrl,
    'https://cloud.mongodb.com',
    'Address of Atlas, or of Ops Manager, without the path of its API. https only, except for loopback hosts.',
  ),
  atlasApi: setting(
    z.enum(ATLAS_APIS, { error: `must be ${ATLAS_APIS.slice(0, -1).join(', ')} or ${ATLAS_APIS.at(-1)}` }),
    'atlas/v1.0' satisfies AtlasApi,
    'API that serves the restore jobs: atlas/v1.0, atlas/v2, or public/v1.0 of Cloud Manager and Ops Manager, where clusterName is the id of the cluster.',
  ),
  atlasAllowPlainHttp: setting(
    boolean,
    'false',
    'Whether the address of an Ops Manager may be http://. Only with public/v1.0; requests and responses, with the URLs of downloads, are then readable on the network.',
  ),
  atlasRequestsPerMinute: setting(
    integer(0, 1_000_000),
    '100',
    'Maximum number of requests per minute for each project and credential; 0 means no client-side limit.',
  ),
  atlasTimeout: setting(
    duration(100, 600_000, '100ms to 10m'),
    '10s',
    'Deadline of one request to Atlas, from connecting to the last byte.',
  ),
  atlasEnvelope: setting(boolean, 'false', "The endpoint's query parameter envelope."),
  atlasPretty: setting(boolean, 'false', "The endpoint's query parameter pretty."),
  atlasList: setting(
    boolean,
    'true',
    'Whether a cluster with three or more open restore jobs is asked for all of them at once.',
  ),
  namespaces: setting(
    namespaceList,
    '',
    'Comma-separated namespaces to watch. If set, Roles in them suffice and no ClusterRole is needed.',
    'all',
  ),
  labelSelector: setting(
    labelSelector,
    '',
    'Label selector of the only resources to reconcile, such as `shard=a`. With leader election it requires a lease name.',
    'none',
  ),
  defaultInterval: setting(
    duration(INTERVAL_BOUNDS.min, INTERVAL_BOUNDS.max, '10s to 24h'),
    '1m',
    'How often a running job is fetched if spec.interval is absent.',
  ),
  concurrency: setting(integer(1, 1_000), '16', 'Maximum number of concurrent reconciles.'),
  deliveryUrlInStatus: setting(
    boolean,
    'true',
    'Whether download URLs are mirrored into status if spec.deliverySecretName is absent.',
  ),
  defaultCredentialsDir: setting(
    z.string(),
    '',
    'Directory with the default credentials: a mounted Secret, with one file per key.',
    'off',
  ),
  defaultCredentialsNamespaces: setting(
    namespaceList,
    '',
    'Comma-separated namespaces that may use the default credentials.',
    'none',
  ),
  leaderElect: setting(
    boolean,
    'false',
    'Whether replicas elect a leader. Only the leader asks Atlas and writes. The chart sets true.',
  ),
  leaseName: setting(objectName, 'legacy-restore-operator', 'Name of the Lease for leader election.'),
  leaseNamespace: setting(
    z.union([z.literal(''), objectName]),
    '',
    'Namespace of the Lease.',
    "the pod's namespace, else that of the kubeconfig's context",
  ),
  httpBindAddress: setting(bindAddress, ':8080', 'Address that serves /livez, /readyz and /metrics.'),
  logLevel: setting(
    z.enum(['trace', 'debug', 'info', 'warn', 'error'], { error: 'must be trace, debug, info, warn or error' }),
    'info',
    'Minimum level of the log. The signal SIGUSR2 switches to debug and back.',
  ),
  logFormat: setting(
    z.enum(['json', 'pretty'], { error: 'must be json or pretty' }),
    'json',
    'json for machines, pretty for people.',
  ),
});
/** All settings, read and checked; times are in milliseconds. */
export type Settings = Readonly<z.output<typeof Settings>>;

type SettingsResult =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Reads all settings; a flag wins over its variable, and an empty variable counts as absent. All problems are
 * reported at once, each naming the flag or the variable, never the value.
 */
export function readSettings(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): SettingsResult {
  const { values, problems, ...flags } = readFlags(Settings, args, environment);
  const all = [...problems, ...contradictions(flags)];
  return values === undefined || all.length > 0 ? { ok: false, problems: all } : { ok: true, settings: values };
}

/** One setting as documentation and `--help` print it. */
type SettingDescription = FlagDescription & { readonly variable: string };

/** All settings in the order of the documentation. */
export const listSettings = (): readonly SettingDescription[] =>
  describeFlags(Settings).flatMap(({ variable, ...rest }) => (variable === undefined ? [] : [{ ...rest, variable }]));

/** The problems of settings that are valid alone but not together. */
const contradictions = (flags: GivenFlags): readonly string[] => [
  ...addressProblems(flags),
  ...defaultCredentialsProblems(flags),
  ...leaseProblems(flags),
];

/** The problems of the settings that say which API is asked and where. Commands have them, too. */
export function addressProblems({ given, sourceOf }: GivenFlags): readonly string[] {
  const isPublic = given['atlasApi'] === ('public/v1.0' satisfies AtlasApi);
  const isAllowed = given['atlasAllowPlainHttp'] === 'true';
  // Only an Ops Manager is in a network of one's own.
  if (isAllowed && !isPublic) return [`${sourceOf('atlasAllowPlainHttp')} needs the API public/v1.0`];
  if (isAllowed || !isPlainHttp(given['atlasBaseUrl'] ?? '')) return [];
  const unless = isPublic ? ', unless atlas-allow-plain-http is true' : '';
  return [`${sourceOf('atlasBaseUrl')} must be https, except for loopback hosts${unless}`];
}

function defaultCredentialsProblems({ given, sourceOf }: GivenFlags): readonly string[] {
  const directory = (given['defaultCredentialsDir'] ?? '') !== '';
  const list = namespaceList.safeParse(given['defaultCredentialsNamespaces'] ?? '');
  if (!list.success) return [];
  const namespaces = list.data.length > 0;
  const [dirSource, namespacesSource] = [sourceOf('defaultCredentialsDir'), sourceOf('defaultCredentialsNamespaces')];
  if (directory && !namespaces) return [`${dirSource} needs ${namespacesSource}: who may use them`];
  if (namespaces && !directory) return [`${namespacesSource} needs ${dirSource}: what they may use`];
  return [];
}

function leaseProblems({ given, sourceOf }: GivenFlags): readonly string[] {
  const { labelSelector: selector = '', leaderElect, leaseName = '' } = given;
  if (selector === '' || leaderElect !== 'true' || leaseName !== '') return [];
  const both = `${sourceOf('labelSelector')} with ${sourceOf('leaderElect')}`;
  return [`${both} needs ${sourceOf('leaseName')}: of operators that share a lease only one reconciles`];
}
