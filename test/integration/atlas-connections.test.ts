import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

let bed: TestBed;
let proxy: TcpProxy;
beforeAll(async () => {
  bed = await startTestBed();
  proxy = await startTcpProxy(Number(new URL(bed.atlas.url).port));
});
afterAll(async () => {
  await bed?.stop();
  await proxy?.stop();
});

/** How many requests to Atlas had no response so far. */
const unanswered = ({ log }: OperatorProcess): number =>
  log.filter(({ msg, httpStatus }) => msg === 'a request to Atlas' && httpStatus === 0).length;

test('established connections to an Atlas that offers HTTP/2 die silently: the next deadline gives them up', async () => {
  const operator = await bed.startOperator({
    ATLAS_BASE_URL: `https://127.0.0.1:${proxy.port}`,
    ATLAS_TIMEOUT: '1s',
    LOG_LEVEL: 'debug',
  });
  const { jobId } = putJob(bed.atlas, youngJob);
  await bed.create('over-a-dead-connection', { jobId });
  await bed.until('over-a-dead-connection', 'it is mirrored', ({ status }) => status.statusName !== undefined);
  proxy.freezeOpen();
  for (let count = 0; count < 5; count += 1) await bed.reconcile('over-a-dead-connection');
  await bed.until('over-a-dead-connection', 'Synced is True again', ({ status }) =>
    (status.conditions ?? []).some(({ type, status: value }) => type === 'Synced' && value === 'True'),
  );
  // A request that followed at once may have opened a second connection before.
  expect(unanswered(operator)).toBeGreaterThan(0);
  expect(unanswered(operator)).toBeLessThanOrEqual(2);
  expect(await operator.stop()).toBe(0);
});
