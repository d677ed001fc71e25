import { expect, test } from '@jest/globals';
import { FAULTS } from '../soak/faults.ts';
import { describeUnequal, type SoakResult, soak } from '../soak/soak.ts';

/** A few of each place: what breaks connections, processes and credentials, and what a restart would hide. */
const KINDS: readonly string[] = [
  'API server: API server killed',
  'API server: connections reset',
  'API server: open connections silent forever',
  'API server: status writes refused by a policy',
  'API server: pages of a gateway for status writes',
  'Atlas: 5xx',
  'Atlas: 429 with Retry-After',
  'Atlas: stalls',
  'Atlas: answers that are no JSON',
  'Atlas: lists lie',
  'Atlas: tokens revoked',
  'Atlas: open connections silent forever',
  'operator: leader killed',
  'operator: leader frozen for a moment',
  'operator: wall clock set back',
  'credentials: rotated at Atlas first',
  'credentials: Secret deleted and created again',
  'credentials: Secret unreadable in etcd',
];

const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((left, right) => left + right, 0);

test('a short soak: under faults on all sides every resource becomes equal to Atlas, and nothing is written twice', async () => {
  const faults = FAULTS.filter(({ name }) => KINDS.includes(name));
  expect(faults).toHaveLength(KINDS.length);
  const signal = new AbortController().signal;
  const result: SoakResult = await soak({
    seed: 1,
    disturbMs: 40_000,
    resources: 60,
    faults,
    signal,
    say: () => {},
  });

  expect(describeUnequal(result.lost)).toBe('');
  expect(result.problems).toEqual([]);
  expect(result.duplicateWrites).toBe(0);
  for (const [name, count] of result.faults) expect(`${name}: ${count > 0}`).toBe(`${name}: true`);
  expect(result.resources).toBeGreaterThan(40);
  expect(result.changesAtAtlas).toBeGreaterThan(100);
  expect(result.changesMirrored).toBeGreaterThan(50);
  expect(result.refusedWrites).toBeGreaterThan(0);
  expect(result.gatewayPages).toBeGreaterThan(0);
  expect(result.requests.list).toBeGreaterThan(0);
  expect(result.statusWrites).toBeGreaterThanOrEqual(result.changesMirrored);
  expect(sum(result.userActions)).toBeGreaterThan(60);
}, 600_000);
