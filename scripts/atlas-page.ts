/** docs/atlas.md: where every parameter, field, response and error of Atlas's endpoint ends up. */
import * as z from 'zod';
import { REASONS } from '../src/api/reasons.ts';
import { RestoreJob } from '../src/api/restore-job.ts';
import { MAX_HASHES } from '../src/atlas/answer.ts';
import { ERROR_CODES, errorFromAnswer } from '../src/atlas/errors.ts';
import { MAX_BODY_BYTES } from '../src/atlas/http.ts';
import { markdownTable } from './markdown-table.ts';
import { generatedPage } from './pages.ts';

export function atlasPage(): string {
  return generatedPage(
    'The Atlas endpoint',
    'The operator knows one endpoint of the Atlas Administration API, "Return One Legacy Backup Restore Job" (operation `getLegacyBackupRestoreJob`), and two of its OAuth server:',
    '```\nGET  /api/atlas/v1.0/groups/{groupId}/clusters/{clusterName}/restoreJobs/{jobId}\nPOST /api/oauth/token\nPOST /api/oauth/revoke\n```',
    'It needs the role Project Read Only and changes nothing at Atlas. They are called at `https://cloud.mongodb.com`, or where the setting `--atlas-base-url` says: `https://cloud.mongodbgov.com` for Atlas for Government. This page tells where each part of the endpoint ends up.',
    '## Parameters',
    markdownTable(
      ['parameter', 'in', 'comes from'],
      [
        ['`groupId`', 'path', '`spec.groupId`, checked by the API server'],
        ['`clusterName`', 'path', '`spec.clusterName`, checked by the API server, percent-encoded'],
        ['`jobId`', 'path', '`spec.jobId`, checked by the API server'],
        ['`envelope`', 'query', 'the setting `--atlas-envelope`; an envelope is opened wherever one arrives'],
        ['`pretty`', 'query', 'the setting `--atlas-pretty`'],
      ],
    ),
    '## Fields of the answer',
    `Every field is mirrored under its own name and with its own value, and vanishes from status when it vanishes from the answer. A member that is null or of another type is left out and named in the message of \`Synced\`. Fields that are not listed here are left out. At most ${MAX_HASHES} \`hashes\` are kept, and \`Synced\` says of how many.`,
    markdownTable(['field', 'type', 'ends up in', 'meaning'], [...fieldRows(RestoreJob, ''), ...AUTH_VALUE_ROWS]),
    'The request fields `checkpointId`, `oplogTs`, `oplogInc` and `pointInTimeUTCMillis` are write-only and never come back.',
    '## Responses',
    markdownTable(
      ['response', 'becomes'],
      [
        ['200 with a restore job', '`Synced=True`, reason `JobFetched`'],
        ['an error with an `errorCode` of the next table', 'the reason in that table'],
        ...[400, 401, 402, 403, 404, 408, 410, 429, 500, 502, 503, 504].map((status) => [
          `${status} otherwise`,
          outcomeOf(status),
        ]),
        [
          `anything else: HTML, invalid JSON or UTF-8, a redirect (never followed), more than ${MAX_BODY_BYTES / 2 ** 20} MiB`,
          describe('transient', 'InvalidResponse'),
        ],
        ['none: refused, reset, not within `--atlas-timeout`', describe('transient', 'AtlasUnavailable')],
      ],
    ),
    'A permanent error is tried again with a back-off of up to one hour, a transient one with a back-off of up to two minutes; a change of the resource or of its Secret is acted on at once.',
    '## Error codes',
    markdownTable(
      ['HTTP', 'errorCode', 'reason', 'what to do'],
      ERROR_CODES.map(({ httpStatus, errorCode, reason, remedy }) => [
        String(httpStatus),
        `\`${errorCode}\``,
        `\`${reason}\``,
        remedy ?? REASONS[reason].remedy,
      ]),
    ),
    "Atlas's `errorCode` and `detail` stand in the message of `Synced`, the detail bounded and without control characters. `UNEXPECTED_ERROR` says nothing: Atlas sends it with 401 as well as with 500.",
    '## Authentication',
    markdownTable(
      ['credential', 'keys of the Secret', 'how'],
      [
        [
          'API key',
          '`publicApiKey`, `privateApiKey`',
          'HTTP Digest (RFC 7616; MD5, SHA-256 and SHA-512-256, also `-sess`; `qop=auth` or none). One request per reconcile while a nonce lives, two when it is cold.',
        ],
        [
          'service account',
          '`clientId`, `clientSecret`',
          'OAuth 2.0 client credentials. One token per credential, renewed before it expires, replaced once when Atlas no longer accepts it, revoked at shutdown.',
        ],
      ],
    ),
    'Wrong credentials are not tried in a loop: after a 401 only the Secret is looked at every 30 s, until it has changed.',
    '## Rate limits',
    'Each pair of project and credential has a budget of `--atlas-requests-per-minute`. A 429, and a 503 with `Retry-After` (seconds or a date), pauses that budget as told, a `RATE_LIMITED_TOKEN_BUCKET` answer for the seconds in its `parameters`, a 429 without any such word for up to a minute, doubling. `RateLimit-Remaining` is obeyed. Resources wait in line without holding a worker; a pause of more than 60 s shows in their condition `Synced` as `RateLimited`.',
  );
}

const AUTH_VALUE_ROWS = [
  [
    '`delivery.authValue`',
    'string',
    'the key `authValue` of the Secret in `spec.deliverySecretName`, never status',
    'Value of the HTTP header that a download from urlV2 needs: a secret.',
  ],
  ['`hashes[].links`', 'array', 'left out', 'References to related Atlas resources.'],
];

/** URL members go into the delivery Secret instead where there is one. */
const WITHHELD = new Set(['delivery.url', 'delivery.urlV2', 'delivery.authHeader']);

function fieldRows(schema: z.ZodObject, path: string): string[][] {
  return Object.entries<z.core.$ZodType>(schema.shape).flatMap(([name, type]) => {
    const inner = type instanceof z.ZodExactOptional ? type.unwrap() : type;
    const here = `${path}${name}`;
    if (inner instanceof z.ZodObject) return fieldRows(inner, `${here}.`);
    if (inner instanceof z.ZodArray && inner.element instanceof z.ZodObject)
      return fieldRows(inner.element, `${here}[].`);
    const where = WITHHELD.has(here)
      ? `\`status.${here}\`, or the key of that name of the Secret in \`spec.deliverySecretName\``
      : `\`status.${here}\``;
    return [[`\`${here}\``, typeName(inner), where, z.globalRegistry.get(inner)?.description ?? '']];
  });
}

function typeName(type: z.core.$ZodType): string {
  if (type instanceof z.ZodBoolean) return 'boolean';
  return type instanceof z.ZodNumber ? 'integer' : 'string';
}

function outcomeOf(httpStatus: number): string {
  const { kind, reason } = errorFromAnswer({
    httpStatus,
    errorCode: undefined,
    detail: undefined,
    retryAfterMs: undefined,
  });
  return describe(kind, reason);
}

function describe(kind: string, reason: string): string {
  if (kind === 'rateLimited') return 'a pause of the budget; `RateLimited` after 60 s';
  return `${kind}: \`Synced=${kind === 'permanent' ? 'False' : 'Unknown'}\`, reason \`${reason}\``;
}
