/**
 * Keeps secrets out of the log, by the names under which they travel. No code of ours logs such a member; this is for the
 * day when some object is logged whole. pino's own redaction takes paths with wildcards apart again for every line, and
 * knows a name only at the depths that it was told.
 */

export const SECRET_NAMES: ReadonlySet<string> = new Set([
  'privateApiKey',
  'privateKey',
  'clientSecret',
  'authValue',
  'authorization',
  'access_token',
  'token',
  'url',
  'urlV2',
  'data',
]);
export const CENSORED = '[redacted]';
/** What lies deeper is not worth a line of log, and what contains itself would never end. */
const MAX_DEPTH = 5;

/** The fields as JSON would have them, without the secrets in them, at whatever depth. */
export const censored = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  censoredMembers(fields, MAX_DEPTH);

const censoredMembers = (object: object, depth: number): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(object).map(([name, value]) => [
      name,
      SECRET_NAMES.has(name) ? CENSORED : censoredValue(value, depth),
    ]),
  );

function censoredValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return '[Object]';
  if ('toJSON' in value && typeof value.toJSON === 'function') return censoredValue(value.toJSON(), depth - 1);
  if (Array.isArray(value)) return value.map((element) => censoredValue(element, depth - 1));
  return censoredMembers(value, depth - 1);
}
