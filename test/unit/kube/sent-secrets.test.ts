import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { createKubeClient } from '../../../src/kube/client.ts';
import { createSecret, replaceSecretData } from '../../../src/kube/secrets.ts';
import { listen } from '../../support/listen.ts';

/** One for each member that can hold a secret: none is hidden by the redaction of another. */
const SECRETS = {
  url: 'https://example.com/canary-url?key=k',
  urlV2: 'https://example.com/canary-v2',
  authValue: 'canary-value-of-the-header',
  href: 'https://example.com/canary-link',
  other: 'canary-of-another-key',
} as const;
const base64 = (value: string): string => Buffer.from(value).toString('base64');

const NAME = { namespace: 'payments', name: 'download' };
const OWNER = { apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' };

/** An API server that refuses everything and repeats it, as it is and decoded, as webhooks do. */
async function refusing(): Promise<{ readonly client: ReturnType<typeof createKubeClient> } & AsyncDisposable> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const decoded = Object.values(SECRETS).filter((value) => body.includes(base64(value)));
      const message = `admission webhook denied the request: ${body} decoded: ${decoded.join(' ')}`;
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

const { url, urlV2, authValue, href, other } = SECRETS;
const data = { url, urlV2, authValue, authHeader: 'X-Key' };
const status = { delivery: { url, urlV2 }, links: [{ href, rel: 'self' }] };

test.each<[string, (client: ReturnType<typeof createKubeClient>) => Promise<unknown>]>([
  ['a Secret that is created', (client) => createSecret(client, NAME, OWNER, {}, { ...data, other })],
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
    for (const value of Object.values(SECRETS)) expect(said).not.toContain(base64(value));
    expect(said.length).toBeLessThan(1_200);
  }
});
