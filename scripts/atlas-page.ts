/** docs/atlas.md: where every parameter, field, response and error of Atlas's endpoint ends up. */
import * as z from 'zod';
import { RestoreJob } from '../src/api/restore-job.ts';
import { V2_MEDIA_TYPE } from '../src/atlas/client.ts';
import { errorFromResponse } from '../src/atlas/errors.ts';
import { MAX_BODY_BYTES } from '../src/atlas/http.ts';
import { MAX_HASHES } from '../src/atlas/response.ts';
import { atlasErrorCodes, reasonOfAtlasFailure } from '../src/restore-job/atlas-failures.ts';
import { entryOf, type Reason, remedyOf } from '../src/restore-job/reasons.ts';
import { markdownTable } from './markdown-table.ts';
import { generatedPage } from './pages.ts';

export function atlasPage(): string {
  return generatedPage(
    'The Atlas endpoint',
    'The operator mirrors the response of one endpoint of the Atlas Administration API, "Return One Legacy Backup Restore Job" (operation `getLegacyBackupRestoreJob`), and uses two of its OAuth server:',
    '```text\nGET  /api/atlas/v1.0/groups/{groupId}/clusters/{clusterName}/restoreJobs/{jobId}\nPOST /api/oauth/token\nPOST /api/oauth/revoke\n```',
    'The endpoint needs the role Project Read Only and changes nothing at Atlas. The base URL is `https://cloud.mongodb.com` unless the setting `--atlas-base-url` names another one, such as `https://cloud.mongodbgov.com` for Atlas for Government. This page shows where each part of the endpoint ends up.',
    '`--atlas-api` chooses the API that serves the restore jobs:',
    markdownTable(
      ['`--atlas-api`', 'what differs'],
      [
        ['`atlas/v1.0`', 'nothing: this page describes it'],
        [
          '`atlas/v2`',
          `the same below \`/api/atlas/v2\`, with the header \`Accept: ${V2_MEDIA_TYPE}\`: these endpoints have one version`,
        ],
        [
          '`public/v1.0`',
          'the same below `/api/public/v1.0`, of [Ops Manager and Cloud Manager](ops-manager.md): clusters have ids instead of names',
        ],
      ],
    ),
    'The command [`list`](list.md) uses "Return All Legacy Backup Restore Jobs" (`GET …/restoreJobs`) with the parameters `pageNum`, `itemsPerPage` and `batchId`, and so does the operator for [several open jobs of a cluster](concepts.md#several-jobs-of-one-cluster), to learn which of them to fetch. The entries are read as single jobs are read. The last page is empty or has no link to a next one; if no page has links, it is shorter than the longest. `totalCount` is never used.',
    '## Parameters',
    markdownTable(
      ['parameter', 'in', 'comes from'],
      [
        ['`groupId`', 'path', '`spec.groupId`, checked by the API server'],
        ['`clusterName`', 'path', '`spec.clusterName`, checked by the API server, percent-encoded'],
        ['`jobId`', 'path', '`spec.jobId`, checked by the API server'],
        ['`envelope`', 'query', 'the setting `--atlas-envelope`; an envelope is unwrapped wherever one arrives'],
        ['`pretty`', 'query', 'the setting `--atlas-pretty`'],
      ],
    ),
    '## Fields of the response',
    `Every field is mirrored under its own name and with its own value, and disappears from status when it disappears from the response. A field that is null or of another type is omitted and named in the message of \`Synced\`. Fields that are not listed here are omitted. At most ${MAX_HASHES} \`hashes\` are kept; the message of \`Synced\` then contains the total number.`,
    markdownTable(['field', 'type', 'ends up in', 'meaning'], [...fieldRows(RestoreJob, ''), ...AUTH_VALUE_ROWS]),
    'The request fields `checkpointId`, `oplogTs`, `oplogInc` and `pointInTimeUTCMillis` are write-only and never part of a response.',
    '## Responses',
    markdownTable(
      ['response', 'becomes'],
      [
        ['200 with a restore job', '`Synced=True`, reason `JobFetched`'],
        ['an error with an `errorCode` of the next table', 'the reason in that table'],
        ...[400, 401, 402, 403, 404, 406, 408, 410, 429, 500, 502, 503, 504].map((status) => [
          `${status} otherwise`,
          outcomeOf(status),
        ]),
        [
          `anything else: HTML, invalid JSON or UTF-8, a content encoding, a redirect (never followed), more than ${MAX_BODY_BYTES / 2 ** 20} MiB`,
          describe('InvalidResponse'),
        ],
        ['a challenge of HTTP Digest whose hash is not available, as MD5 in FIPS mode', describe('Unauthorized')],
        ['none: refused, reset, not within `--atlas-timeout`', describe('AtlasUnavailable')],
      ],
    ),
    'The operator retries a permanent error with a back-off of up to one hour, and a transient one with a back-off of up to two minutes. It handles a change of the resource or of its Secret immediately.',
    '## Error codes',
    markdownTable(
      ['HTTP', 'errorCode', 'reason', 'what to do'],
      atlasErrorCodes().map(({ httpStatus, errorCode, reason }) => [
        String(httpStatus),
        `\`${errorCode}\``,
        `\`${reason}\``,
        remedyOf(reason, errorCode, 'resource'),
      ]),
    ),
    "The message of `Synced` contains Atlas's `errorCode` and `detail`, bounded and without control characters. `status.failure` contains the whole error response: `error`, `errorCode`, `reason`, `detail`, `parameters` and `badRequestDetail`. `UNEXPECTED_ERROR` carries no information: Atlas sends it with 401 as well as with 500.",
    '## Authentication',
    markdownTable(
      ['credential', 'keys of the Secret', 'how'],
      [
        [
          'service account',
          '`clientId`, `clientSecret`',
          'OAuth 2.0 client credentials. One token per credential, renewed before it expires, replaced when Atlas no longer accepts it, revoked at shutdown.',
        ],
        [
          'API key',
          '`publicApiKey`, `privateApiKey`, or `publicKey`, `privateKey`',
          'HTTP Digest (RFC 7616; MD5, SHA-256 and SHA-512-256, also `-sess`; `qop=auth` or none). One request per reconcile while a nonce is valid, else two.',
        ],
      ],
    ),
    'The operator does not retry wrong credentials in a loop: after a 401 it only reads the Secret every 30 s, until the Secret changes.',
    '## Rate limits',
    'Each pair of project and credential has a budget of `--atlas-requests-per-minute`. A 429, or a 503 with `Retry-After` (seconds or a date), pauses that budget for the given time, at most an hour. `RATE_LIMITED_TOKEN_BUCKET` pauses it for the seconds in its `parameters`, and a 429 without a time for up to a minute, doubling. The operator honors `RateLimit-Remaining`. Resources wait in a queue without holding a worker. If a pause lasts longer than 60 s, the reason of their condition `Synced` is `RateLimited`.',
  );
}

const AUTH_VALUE_ROWS = [
  [
    '`delivery.authValue`',
    'string',
    'the key `authValue` of the Secret in `spec.deliverySecretName`, never status',
    'Value of the HTTP header that a download from urlV2 needs: a secret.',
  ],
  ['`hashes[].links`', 'array', 'omitted', 'References to related Atlas resources.'],
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
  return describe(reasonOfAtlasFailure(errorFromResponse(httpStatus, undefined, undefined)));
}

function describe(reason: Reason): string {
  if (reason === 'RateLimited') return 'a pause of the budget; `RateLimited` after 60 s';
  const { retry, status } = entryOf(reason);
  return `${retry}: \`Synced=${status}\`, reason \`${reason}\``;
}
