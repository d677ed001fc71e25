/**
 * Keeps what a request carried out of the error of its response: the API server, policies and webhooks repeat values that
 * they refuse.
 */
import { redactValues } from '../api/redaction.ts';
import { KubeError } from './errors.ts';

/** The error with `[redacted]` wherever it repeats a secret of the body. */
export function withoutSentSecrets(error: KubeError, body: unknown): KubeError {
  const values = secretsIn(body, false);
  if (values.length === 0) return error;
  const { status, reason, retryAfterMs, cause } = error;
  return new KubeError(redactValues(error.message, values), {
    status,
    reason,
    statusMessage: redactValues(error.statusMessage, values),
    retryAfterMs,
    cause,
  });
}

/** Members whose texts open data: a download's URLs and the value of its header. */
const SECRET_MEMBERS: ReadonlySet<string> = new Set(['url', 'urlV2', 'authValue', 'href', 'data', 'stringData']);

/** All texts within secret members. Those of a Secret are in base64, and whoever refuses them can have decoded them. */
function secretsIn(value: unknown, secret: boolean): readonly string[] {
  if (typeof value === 'string') return secret ? [value, ...decoded(value)] : [];
  if (Array.isArray(value)) return value.flatMap((element) => secretsIn(element, secret));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => secretsIn(member, secret || SECRET_MEMBERS.has(name)));
}

function decoded(text: string): readonly string[] {
  const bytes = Buffer.from(text, 'base64');
  const plain = bytes.toString('utf8');
  return bytes.toString('base64') === text && Buffer.from(plain).equals(bytes) ? [plain] : [];
}
