import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { conditionOf, GROUP_ID, putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

const SHIFTED_CLOCK = path.join(import.meta.dirname, '..', 'support', 'shifted-clock.mjs');
const ACCOUNT = { clientId: 'mdb_sa_id_5f0000000000000000000001', clientSecret: 'mdb_sa_sk_1' } as const;
const HOUR_MS = 3_600_000;

let bed: TestBed;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-clock-'));
  bed = await startTestBed();
  bed.atlas.addServiceAccount({ ...ACCOUNT, groupIds: [GROUP_ID] });
  await bed.createSecret('atlas-account', ACCOUNT);
});
afterAll(async () => {
  await bed?.stop();
  await rm(directory, { recursive: true, force: true });
});

test('the wall clock of the operator is set back by an hour: budget, token and back-off go on', async () => {
  const offset = path.join(directory, 'offset');
  await writeFile(offset, '0');
  const operator = await bed.startOperator({
    ATLAS_REQUESTS_PER_MINUTE: '60',
    NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`,
    CLOCK_OFFSET_FILE: offset,
  });
  const { jobId } = putJob(bed.atlas, youngJob);
  await bed.create('steady', { jobId, credentialsSecretRef: { name: 'atlas-account' } });
  await bed.until('steady', 'it is mirrored', ({ status }) => status.statusName !== undefined);
  await writeFile(offset, String(-HOUR_MS));
  bed.atlas.revokeAllTokens(ACCOUNT.clientId);
  // More than a burst of the budget: the last ones need its refill.
  for (let count = 0; count < 15; count += 1) {
    expect(conditionOf(await bed.reconcile('steady'), 'Synced')).toBe('True JobFetched');
  }
  expect(bed.atlas.requests.counts().byKind.token).toBe(2);
  expect(await operator.stop()).toBe(0);
});
