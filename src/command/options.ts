/** Reads the command line of a command that asks Atlas, checked all at once before anything is read or sent. */
import type * as z from 'zod';
import { Spec } from '../api/legacy-restore-job.ts';
import { hasServiceAccounts, isClusterId } from '../atlas/ops-manager.ts';
import { type GivenFlags, readFlags } from '../config/flags.ts';
import { addressProblems, Settings } from '../config/settings.ts';
import type { OptionsResult } from './command.ts';
import { type CredentialsChoice, type CredentialsSource, kindOf } from './credentials.ts';

type Texts = Readonly<Record<string, string | undefined>>;

/** What a command is, as far as its command line is read by it. */
interface CommandLine<Shape extends z.ZodRawShape, Credentials> {
  /** All its flags. */
  readonly table: z.ZodObject<Shape>;
  /** Which of the flags that were given, under their keys, do not go together. */
  readonly contradictions: (given: Texts) => readonly string[];
  /** Where its credentials come from; undefined where it needs none. */
  readonly choose: (given: Texts, environment: Texts) => CredentialsChoice<Credentials>;
}

interface CommandValues<Shape extends z.ZodRawShape, Credentials> {
  readonly values: z.output<z.ZodObject<Shape>>;
  readonly credentials: Credentials;
}

/** The values of a command line and of those variables that belong to it. Problems never repeat a value. */
export function readCommandLine<Shape extends z.ZodRawShape, Credentials extends CredentialsSource | undefined>(
  { table, contradictions, choose }: CommandLine<Shape, Credentials>,
  args: readonly string[],
  environment: Texts,
): OptionsResult<CommandValues<Shape, Credentials>> {
  const { values, problems, ...flags } = readFlags(table, args, environment);
  const { given } = flags;
  if (given['help'] === 'true') return { kind: 'help' };
  const choice = choose(given, environment);
  const all = [...problems, ...contradictions(given), ...sharedProblems(flags, choice)];
  if (values === undefined || !choice.ok || all.length > 0) return { kind: 'problems', problems: all };
  return { kind: 'options', options: { values, credentials: choice.source } };
}

/** What all commands are told that cannot be asked together. */
function sharedProblems(flags: GivenFlags, credentials: CredentialsChoice<CredentialsSource | undefined>): string[] {
  const { given } = flags;
  const api = Settings.shape.atlasApi.safeParse(given['atlasApi']).data;
  const baseUrl = Settings.shape.atlasBaseUrl.safeParse(given['atlasBaseUrl']).data;
  const { clusterName } = given;
  const isName = clusterName !== undefined && Spec.shape.clusterName.safeParse(clusterName).success;
  const needsApiKey = api !== undefined && baseUrl !== undefined && !hasServiceAccounts({ api, baseUrl });
  const source = credentials.ok ? credentials.source : undefined;
  return [
    ...addressProblems(flags),
    ...(api === 'public/v1.0' && isName && !isClusterId(clusterName)
      ? ['--cluster-name must be the id of the cluster with public/v1.0: 24 digits of 0-9 and a-f']
      : []),
    ...(needsApiKey && source !== undefined && kindOf(source) === 'serviceAccount'
      ? ['Ops Manager has no service accounts: an API key is needed']
      : []),
    ...(credentials.ok ? [] : [credentials.problem]),
  ];
}
