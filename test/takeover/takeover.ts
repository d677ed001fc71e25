/** How long no replica works when the leader ends. */
import { randomBytes } from 'node:crypto';
import { atlasDate, fetchedDownload, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { LEADER_ELECTION } from '../support/installation.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { putJob, type TestBed } from '../support/test-bed.ts';

const PATIENCE_MS = 120_000;
const DAY_MS = 86_400_000;

/** Milliseconds from the signal until another replica leads, and until a change at Atlas of that moment is mirrored. */
export async function measureTakeover(bed: TestBed, signal: NodeJS.Signals): Promise<readonly number[]> {
  const leader = await bed.startOperator(LEADER_ELECTION);
  await leader.waitForLog(({ msg }) => msg === 'acquired the lease', PATIENCE_MS);
  const standby = await bed.startOperator(LEADER_ELECTION);
  await untilReady(standby);
  const name = `takeover-${randomBytes(4).toString('hex')}`;
  const job = putJob(bed.atlas, youngJob);
  await bed.create(name, { jobId: job.jobId, interval: '10s' });
  await bed.until(name, 'it is mirrored', ({ status }) => status.statusName === 'IN_PROGRESS');

  const startedAt = performance.now();
  await leader.kill(signal);
  bed.atlas.setBody(job.jobId, fetchedDownload(job, atlasDate(Date.now() + DAY_MS)));
  await standby.waitForLog(({ msg }) => msg === 'acquired the lease', PATIENCE_MS);
  const leads = performance.now() - startedAt;
  const isFinished = ({ status }: { status: { statusName?: string } }): boolean => status.statusName === 'FINISHED';
  await bed.until(name, 'the change is mirrored', isFinished, undefined, PATIENCE_MS);
  const mirrored = performance.now() - startedAt;

  await leader.kill('SIGKILL');
  // It gives the lease back: the next leader need not wait for it.
  await standby.stop();
  await bed.delete(name);
  return [leads, mirrored];
}

const untilReady = ({ url }: OperatorProcess): Promise<void> =>
  eventually('the standby is ready', async () => {
    const { status } = await fetch(`${url}/readyz`);
    if (status !== 200) throw new Error(`/readyz answered ${status}`);
  });
