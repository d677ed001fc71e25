import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Api } from '../support/atlas-simulator/apis.ts';
import type { ApiKey } from '../support/atlas-simulator/credentials.ts';
import { fetchedDownload, PUBLISHED_EXAMPLE_JOB } from '../support/atlas-simulator/recorded-bodies.ts';
import { getWithKey, jobPath, listPath } from '../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';

const V2_ACCEPT = 'application/vnd.atlas.2023-01-01+json';
const KEY: ApiKey = { publicKey: 'publickey', privateKey: 'private-key' };
const JOB = { ...PUBLISHED_EXAMPLE_JOB, clusterName: '5a66689487d9d61443b46149' };
const BODY = fetchedDownload(JOB, '2030-01-01T00:00:00Z');

let atlas: AtlasSimulator;
beforeEach(async () => {
  atlas = await startAtlasSimulator();
  atlas.addApiKey(KEY);
  atlas.putJob(JOB, { kind: 'fixed', body: BODY });
});
afterEach(() => atlas.stop());

async function get(uri: string, accept?: string) {
  const { status, headers, text } = await getWithKey(atlas.url, uri, KEY, accept === undefined ? {} : { accept });
  return { status, headers, json: JSON.parse(text) };
}

const paths = (api: Api): readonly string[] => [jobPath(JOB, '', api), listPath(JOB, '', api)];

describe('atlas/v2', () => {
  test.each(paths('atlas/v2'))('wants its one version: %s', async (path) => {
    for (const accept of [undefined, 'application/json', '*/*', 'application/vnd.atlas.2022-12-31+json']) {
      const { status, headers, json } = await get(path, accept);
      expect([status, json.errorCode]).toEqual([406, 'INVALID_VERSION_DATE']);
      expect(headers['content-type']).toBe('application/json');
    }
    const { status, headers } = await get(path, V2_ACCEPT);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/vnd.atlas.2023-01-01+json;charset=utf-8');
  });

  test('tells the job as atlas/v1.0 does', async () => {
    expect((await get(jobPath(JOB, '', 'atlas/v2'), V2_ACCEPT)).json).toEqual((await get(jobPath(JOB))).json);
  });

  test('tells what is left of its rate limit, on errors too', async () => {
    const seen = [];
    for (const path of [jobPath(JOB, '', 'atlas/v2'), listPath({ ...JOB, clusterName: 'Nowhere' }, '', 'atlas/v2')]) {
      const { status, headers } = await get(path, V2_ACCEPT);
      seen.push([status, headers['ratelimit-limit'], headers['ratelimit-remaining']]);
    }
    expect(seen).toEqual([
      [200, '1200', '1199'],
      [404, '1200', '1198'],
    ]);
    expect((await get(jobPath(JOB))).headers).not.toHaveProperty('ratelimit-limit');
  });
});

describe('public/v1.0', () => {
  const { clusterName: _name, hashes: _hashes, ...told } = BODY;

  test('tells a job without the name of its cluster and without hashes, and with a host', async () => {
    expect((await get(jobPath(JOB, '', 'public/v1.0'))).json).toEqual({ ...told, hostId: null });
    const { json } = await get(listPath(JOB, '', 'public/v1.0'));
    expect(json.results).toEqual([expect.objectContaining({ id: JOB.jobId, hostId: null })]);
    expect(json.results[0]).not.toHaveProperty('clusterName');
    expect(json.links[0].href).toContain('/api/public/v1.0/groups/');
  });

  test('has another name for what is in an envelope', async () => {
    expect((await get(jobPath(JOB, '?envelope=true', 'public/v1.0'))).json).toEqual({
      status: 200,
      envelope: { ...told, hostId: null },
    });
    const { json } = await get(jobPath({ ...JOB, jobId: 'no-id' }, '?envelope=true', 'public/v1.0'));
    expect(json).toMatchObject({ status: 404, envelope: { errorCode: 'INVALID_JOB_ID' } });
  });

  test('knows clusters by their ids alone', async () => {
    atlas.addCluster(JOB.groupId, 'Cluster0');
    for (const [clusterName, errorCode] of [
      ['Cluster0', 'INVALID_CLUSTER_ID'],
      ['5a66689487d9d61443b46140', 'CLUSTER_NOT_FOUND'],
    ] as const) {
      const { status, json } = await get(jobPath({ ...JOB, clusterName }, '', 'public/v1.0'));
      expect([status, json.errorCode]).toEqual([404, errorCode]);
    }
  });
});

test('there is no other API', async () => {
  const { status, json } = await get(jobPath(JOB).replace('v1.0', 'v1.5'));
  expect([status, json.errorCode]).toEqual([404, 'RESOURCE_NOT_FOUND']);
});
