import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { createKubeClient } from '../../../src/kube/client.ts';
import { createSecret, replaceSecretData } from '../../../src/kube/secrets.ts';
import { listen } from '../../support/listen.ts';

const CANARY = 'https://api-backup.example.com/canary?key=k';
const NAME = { namespace: 'payments', name: 'download' };
const OWNER = { apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' };

/** An API server that refuses everything and repeats it, as it is and decoded, as webhooks do. */
async function refusing(): Promise<{ readonly client: ReturnType<typeof createKubeClient> } & AsyncDisposable> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const message = `admission webhook denied the request: ${body} decoded: ${CANARY}`;
      const status = { kind: 'Status', code: 422, reason: 'Invalid', message };
      response.writeHead(422, { 'content-type': 'application/json' }).end(JSON.stringify(status));
    });
  });
  const config = new KubeConfig();
  const url = `http://127.0.0.1:${await listen(server)}`;
  config.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' });
  const client = createKubeClient({ load: () => config, userAgent: 'test' });
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      server.close();
    },
  };
}

const data = { url: CANARY, authValue: 'canary-value-of-the-header', authHeader: 'X-Key' };
const status = { delivery: { url: CANARY, urlV2: `${CANARY}2` }, links: [{ href: CANARY, rel: 'self' }] };

test.each<[string, (client: ReturnType<typeof createKubeClient>) => Promise<unknown>]>([
  ['a Secret that is created', (client) => createSecret(client, NAME, OWNER, {}, data)],
  [
    'a Secret that is changed',
    (client) => replaceSecretData(client, NAME, { uid: 'u', resourceVersion: '1', data: {}, owners: [] }, data),
  ],
  [
    'a status',
    (client) =>
      client.request({
        method: 'PATCH',
        path: '/x',
        returns: 'object',
        body: [{ op: 'replace', path: '/status', value: status }],
      }),
  ],
])('what a refusal repeats of %s is redacted', async (_name, write) => {
  await using server = await refusing();
  const error: unknown = await write(server.client).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ name: 'KubeError', status: 422, reason: 'Invalid' });
  const { message = '', statusMessage = '' } = Object(error);
  for (const said of [message, statusMessage]) {
    expect(said).toContain('admission webhook denied the request');
    expect(said).toContain('[redacted]');
    expect(said).not.toContain('canary');
    expect(said).not.toContain(Buffer.from(CANARY).toString('base64'));
    expect(said.length).toBeLessThan(1_200);
  }
});
