import { describe, expect, test } from '@jest/globals';
import { type ExpectedState, expectedJob, firstState, NotDone, verify } from '../../../bench/expected-state.ts';
import { expectedConditions, type Phase } from '../../../bench/jobs.ts';

/** What a subject that did its work leaves. */
function storedOf(
  state: ExpectedState,
): Map<string, { metadata: { generation: number }; status: Record<string, unknown> }> {
  return new Map(
    [...state].map(([key, { phase, body }]) => {
      const conditions = expectedConditions(phase).map(([type, status, reason]) => ({ type, status, reason }));
      return [key, { metadata: { generation: 1 }, status: { ...body, observedGeneration: 1, conditions } }];
    }),
  );
}

const KEY = 'bench-2/restore-000002';
const HASHES = [{ fileName: 'other.tar.gz', hash: '86bc', typeName: 'SHA1' }];

describe('the comparison of the final statuses with Atlas', () => {
  test.each<Phase>(['finished', 'running'])('accepts what Atlas says of %s jobs', (phase) => {
    const state = firstState(20, phase);
    expect(() => verify(state, storedOf(state))).not.toThrow();
  });

  test.each([
    [
      'a field with another value',
      { statusName: 'BROKEN' },
      'has status.statusName "BROKEN", but Atlas says "FINISHED"',
    ],
    ['a field that is missing', { snapshotId: undefined }, 'has status.snapshotId nothing, but Atlas says "5a66'],
    [
      'a field that Atlas does not give',
      { deploymentJobId: 'x' },
      'has status.deploymentJobId "x", but Atlas says nothing',
    ],
    ['a difference deep inside', { hashes: HASHES }, 'has status.hashes [{"fileName":"other.tar.gz"'],
    ['an old generation', { observedGeneration: 0 }, 'has status.observedGeneration 0 at generation 1'],
    ['no condition', { conditions: [] }, 'has the condition Ready undefined undefined instead of True JobFinished'],
  ])('names the resource and %s', (_, change, problem) => {
    const state = firstState(20, 'finished');
    const stored = storedOf(state);
    Object.assign(stored.get(KEY)?.status ?? {}, change);
    const expected = `LegacyRestoreJob ${KEY} ${problem}`;
    expect(() => verify(state, stored)).toThrow(NotDone);
    expect(() => verify(state, stored)).toThrow(expected);
  });

  test('names a resource that is missing, and a change that was not followed', () => {
    const state = firstState(20, 'finished');
    const stored = storedOf(state);
    state.set(...expectedJob(2, 'finished', 2));
    expect(() => verify(state, stored)).toThrow(`${KEY} has status.timestamp`);
    stored.delete(KEY);
    expect(() => verify(state, stored)).toThrow(`LegacyRestoreJob ${KEY} is missing`);
  });

  test('counts the resources', () => {
    const stored = storedOf(firstState(20, 'finished'));
    expect(() => verify(firstState(19, 'finished'), stored)).toThrow('there are 20 resources instead of 19');
  });
});
