import { expect, test } from '@jest/globals';
import { clientOf, fetchJob } from '../../support/atlas-client.ts';
import { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB } from '../../support/atlas-simulator/recorded-bodies.ts';
import { startAtlasSimulator } from '../../support/atlas-simulator/simulator.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';

const KEY = { kind: 'apiKey', publicKey: 'publickey', privateKey: 'private-key' } as const;

/** How many connections the client opens, as the far end counts them. */
async function connectionsFor(reconcile: (get: () => Promise<unknown>) => Promise<void>): Promise<number> {
  await using atlas = await startAtlasSimulator();
  atlas.addApiKey(KEY);
  atlas.putJob(PUBLISHED_EXAMPLE_JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
  const proxy = await startTcpProxy(Number(new URL(atlas.url).port));
  try {
    await using client = clientOf({ url: `http://127.0.0.1:${proxy.port}` });
    await reconcile(() => fetchJob(client, PUBLISHED_EXAMPLE_JOB, KEY));
    return proxy.opened();
  } finally {
    await proxy.stop();
  }
}

test('connections are kept: fifty reconciles one after the other need no more than two', async () => {
  const opened = await connectionsFor(async (get) => {
    for (let count = 0; count < 50; count += 1) await get();
  });
  // A request that follows at once can find the first connection not quite free.
  expect(opened).toBeLessThanOrEqual(2);
});
