/** How long a change takes when the connections to the API server have died and nobody was told. */
import { randomBytes } from 'node:crypto';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { LEADER_ELECTION, OPERATOR, proxiedKubeconfig } from '../support/installation.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { putJob, type TestBed } from '../support/test-bed.ts';

const PATIENCE_MS = 180_000;

/**
 * Milliseconds from the creation of a resource until its status is mirrored, when neither data nor FIN nor RST passes
 * any more on the connections that the operator has by then, and new ones work. Its watch has just begun, which is when
 * it takes longest to find out.
 */
export async function measureSilentDeath(bed: TestBed, leaderElect: boolean): Promise<readonly number[]> {
  const proxy = await startTcpProxy(Number(new URL(bed.controlPlane.server).port));
  try {
    const direct = await bed.controlPlane.serviceAccountKubeconfig(OPERATOR.namespace, OPERATOR.name);
    const operator = await bed.startOperator({
      KUBECONFIG: await proxiedKubeconfig(bed.controlPlane, direct, proxy),
      ...(leaderElect ? LEADER_ELECTION : {}),
    });
    await mirrorNew(bed);
    proxy.freezeOpen();
    const startedAt = performance.now();
    await mirrorNew(bed);
    const mirrored = performance.now() - startedAt;
    await operator.stop();
    return [mirrored];
  } finally {
    await proxy.stop();
  }
}

/** Creates a resource and waits until it is mirrored. */
async function mirrorNew(bed: TestBed): Promise<void> {
  const name = `silent-${randomBytes(4).toString('hex')}`;
  const job = putJob(bed.atlas, youngJob);
  await bed.create(name, { jobId: job.jobId, interval: '24h' });
  await bed.until(name, 'it is mirrored', ({ status }) => status.statusName !== undefined, undefined, PATIENCE_MS);
}
