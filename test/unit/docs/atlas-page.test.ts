import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

const page = readFileSync('docs/atlas.md', 'utf8');

/** Written down from the endpoint's published schema and pages, not from the code. */
const words = (text: string): string[] => text.trim().split(/\s+/);
const PARAMETERS = words('groupId clusterName jobId envelope pretty');
const FIELDS = words(`
  batchId clusterId clusterName created deploymentJobId encryptionEnabled groupId id masterKeyUUID pointInTime snapshotId
  statusName timestamp.date timestamp.increment
  delivery.authHeader delivery.authValue delivery.expirationHours delivery.expires delivery.maxDownloads
  delivery.methodName delivery.statusName delivery.targetClusterId delivery.targetClusterName delivery.targetGroupId
  delivery.url delivery.urlV2
  hashes[].fileName hashes[].hash hashes[].typeName hashes[].links links[].href links[].rel
`);
const ERROR_CODES: Readonly<Record<number, string>> = {
  400: 'BACKUP_JOB_NOT_FOUND ATLAS_GENERAL_ERROR VALIDATION_ERROR',
  401: 'USER_UNAUTHORIZED NOT_IN_GROUP USER_CANNOT_ACCESS_GROUP NO_CURRENT_USER',
  402: 'ACCOUNT_SUSPENDED',
  403: `IP_ADDRESS_NOT_ON_ACCESS_LIST ORG_REQUIRES_ACCESS_LIST IP_ADDRESS_NOT_ON_WHITELIST RESOURCE_REQUIRES_WHITELIST
    ORG_REQUIRES_WHITELIST ACCESS_FORBIDDEN FEATURE_UNSUPPORTED UNSUPPORTED_FOR_CURRENT_PLAN
    UNSUPPORTED_FOR_CURRENT_CONFIG access_denied`,
  404: `INVALID_GROUP_ID INVALID_CLUSTER_ID INVALID_JOB_ID GROUP_NOT_FOUND CLUSTER_NOT_FOUND CLUSTER_NAME_NOT_FOUND
    RESTORE_JOB_NOT_FOUND RESTORE_JOB_NOT_FOUND_IN_GROUP CONFIG_RESTORE_JOB_NOT_FOUND BACKUP_CONFIG_NOT_FOUND
    NOT_ATLAS_GROUP INVALID_ATLAS_GROUP RESOURCE_NOT_FOUND`,
  410: 'VERSION_GONE',
  429: 'RATE_LIMITED RATE_LIMITED_TOKEN_BUCKET',
};

test.each(PARAMETERS)('the parameter %s has its row', (name) => {
  expect(page).toMatch(new RegExp(`^\\| \`${name}\` \\| (path|query) \\|`, 'm'));
});

test.each(FIELDS)('the field %s has its row', (name) => {
  expect(page).toContain(`\n| \`${name}\` |`);
});

test.each(Object.entries(ERROR_CODES).flatMap(([status, codes]) => words(codes).map((code) => [status, code])))(
  'the error %s %s has its row',
  (status, code) => {
    expect(page).toContain(`\n| ${status} | \`${code}\` |`);
  },
);

test.each(['400', '401', '402', '403', '404', '410', '429', '500', '502', '503', '504'])(
  'the response %s has its row',
  (status) => {
    expect(page).toContain(`\n| ${status} otherwise |`);
  },
);
