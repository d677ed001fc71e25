import { describe, expect, test } from '@jest/globals';
import { AtlasError, errorFromResponse } from '../../../src/atlas/errors.ts';
import { type Failure, failureOfAtlas, statusFailureOf } from '../../../src/restore-job/failure.ts';
import { explain, failureMessage } from '../../../src/restore-job/messages.ts';
import { entryOf, isReason, REASONS, type Reason } from '../../../src/restore-job/reasons.ts';

const ALL: readonly Reason[] = Object.keys(REASONS).filter(isReason);
const SERVICE = 'Ops Manager or Cloud Manager';
const unreachable = failureOfAtlas(
  new AtlasError('ATLAS_UNREACHABLE', (server) => `${server} cannot be reached (ECONNREFUSED)`),
);

describe('with public/v1.0 our own sentences do not say Atlas', () => {
  test.each(ALL)('%s', (reason) => {
    for (const audience of ['resource', 'command'] as const) {
      const inWords = explain(reason, audience, 'public/v1.0');
      expect(inWords).not.toContain('Atlas');
      expect(inWords).toBe(explain(reason, audience, 'atlas/v2').replaceAll('Atlas', SERVICE));
    }
  });

  test.each(ALL.flatMap((reason) => (entryOf(reason).errorCodes ?? []).map((row) => [row.errorCode, row] as const)))(
    'the remedy of %s',
    (errorCode, { httpStatus }) => {
      const failure = failureOfAtlas(errorFromResponse(httpStatus, { error: httpStatus, errorCode }, undefined));
      for (const audience of ['resource', 'command'] as const) {
        const message = failureMessage(failure, audience, 'public/v1.0');
        expect(message).toMatch(new RegExp(`^${SERVICE} answered ${httpStatus} ${errorCode}\\. [A-Z]`));
        expect(message).not.toMatch(/\bAtlas\b/);
      }
    },
  );

  test('where no response came', () => {
    expect(failureMessage(unreachable, 'resource', 'public/v1.0')).toMatch(
      new RegExp(`^${SERVICE} cannot be reached \\(ECONNREFUSED\\)\\. .* the status of ${SERVICE}\\.$`),
    );
    expect(statusFailureOf(unreachable, 'public/v1.0')).toEqual({
      detail: `${SERVICE} cannot be reached (ECONNREFUSED)`,
    });
    expect(statusFailureOf(unreachable, 'atlas/v2')).toEqual({ detail: 'Atlas cannot be reached (ECONNREFUSED)' });
  });
});

test('what the server says is left as it is', () => {
  const apiError = { error: 404, errorCode: 'CLUSTER_NOT_FOUND', detail: 'No cluster named Atlas exists.' };
  const failure = failureOfAtlas(errorFromResponse(404, apiError, undefined));
  expect(failureMessage(failure, 'command', 'public/v1.0')).toContain('(No cluster named Atlas exists.)');
  expect(statusFailureOf(failure, 'public/v1.0')).toEqual(apiError);
  const forbidden: Failure = {
    origin: 'kubernetes',
    reason: 'DeliverySecretRefused',
    verb: 'write',
    object: 'Secret payments/download',
    isForbidden: false,
    code: 403,
    statusReason: 'Forbidden',
    statusMessage: 'policy "Atlas" denies it',
  };
  expect(failureMessage(forbidden, 'resource', 'public/v1.0')).toContain('policy "Atlas" denies it');
});

test.each([
  ['ATLAS_CLUSTER_ID_REQUIRED', 'spec.clusterName must be the id of the cluster', '--cluster-name must be the id'],
  ['ATLAS_NO_SERVICE_ACCOUNTS', 'Secret: publicKey and privateKey', 'Use an API key of Ops Manager'],
] as const)('the remedy of %s names what to change', (code, resource, command) => {
  const failure = failureOfAtlas(new AtlasError(code, 'Atlas was not asked'));
  expect(failureMessage(failure, 'resource', 'public/v1.0')).toContain(resource);
  expect(failureMessage(failure, 'command', 'public/v1.0')).toContain(command);
});

test.each([406, 410])('the remedy of a version that is gone names the setting to change: %i', (httpStatus) => {
  const failure = failureOfAtlas(errorFromResponse(httpStatus, undefined, undefined));
  expect(failureMessage(failure, 'resource', 'atlas/v1.0')).toContain('Set atlas-api to atlas/v2 instead');
  expect(failureMessage(failure, 'command', 'atlas/v2')).toContain('Use --atlas-api=atlas/v2 instead of atlas/v1.0');
});
