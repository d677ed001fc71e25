// cspell:ignore DONT
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { arch, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { conditionOf, GROUP_ID, putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

/** As the Debian package `faketime` installs it; without it there is nothing to test with. */
const LIBRARY = `/usr/lib/${arch() === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketime.so.1`;
const ACCOUNT = { clientId: 'mdb_sa_id_5f0000000000000000000001', clientSecret: 'mdb_sa_sk_1' } as const;

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

const testWithFaketime = existsSync(LIBRARY) ? test : test.skip;

testWithFaketime(
  'the wall clock of the operator is set back by an hour: budget, token and back-off go on',
  async () => {
    const clock = path.join(directory, 'clock');
    // Ahead at first: back in time no certificate would be valid yet.
    await writeFile(clock, '+2h\n');
    const operator = await bed.startOperator({
      ATLAS_REQUESTS_PER_MINUTE: '60',
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    });
    const { jobId } = putJob(bed.atlas, youngJob);
    await bed.create('steady', { jobId, credentialsSecretRef: { name: 'atlas-account' } });
    await bed.until('steady', 'it is mirrored', ({ status }) => status.statusName !== undefined);
    await writeFile(clock, '+1h\n');
    bed.atlas.revokeAllTokens(ACCOUNT.clientId);
    // More than a burst of the budget: the last ones need its refill.
    for (let count = 0; count < 15; count += 1) {
      expect(conditionOf(await bed.reconcile('steady'), 'Synced')).toBe('True JobFetched');
    }
    expect(bed.atlas.requests.counts().byKind.token).toBe(2);
    expect(await operator.stop()).toBe(0);
  },
);
