import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod';
import { Status } from '../../../src/api/legacy-restore-job.ts';
import { pruning } from '../../../src/api/prune.ts';

const isStatus = pruning(Status);

/** Values for the members of any object of a status, known and unknown ones, most of them of the right type. */
const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.double({ noInteger: true }), fc.constant(null));
const condition = fc.record(
  {
    type: fc.string(),
    status: fc.constantFrom('True', 'False', 'Unknown', 'Perhaps'),
    reason: fc.string(),
    message: fc.string(),
    lastTransitionTime: fc.string(),
    observedGeneration: fc.integer(),
    severity: leaf,
  },
  { requiredKeys: ['type', 'status', 'reason', 'message'] },
);
const status = fc.record(
  {
    observedGeneration: fc.oneof(fc.integer(), leaf),
    conditions: fc.oneof(fc.array(condition), leaf),
    statusName: fc.oneof({ weight: 9, arbitrary: fc.string() }, leaf),
    pointInTime: fc.oneof({ weight: 9, arbitrary: fc.boolean() }, leaf),
    delivery: fc.oneof(fc.record({ url: fc.string(), expirationHours: fc.integer(), later: leaf }), fc.array(leaf)),
    hashes: fc.oneof(fc.array(fc.record({ hash: fc.string(), later: leaf }, { requiredKeys: [] })), leaf),
    failure: fc.record({ parameters: fc.array(fc.string()), badRequestDetail: fc.record({ fields: fc.constant([]) }) }),
    newer: fc.oneof(leaf, fc.record({ later: leaf })),
  },
  { requiredKeys: [] },
);

describe('a status of the API server', () => {
  test('fits, and is pruned, exactly as zod says', () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: status }, leaf, fc.array(leaf)), (sent: unknown) => {
        const { success, data } = Status.safeParse(sent);
        const own: unknown = structuredClone(sent);
        expect(isStatus(own)).toBe(success);
        if (success) expect(own).toEqual(data);
      }),
      { numRuns: 2_000 },
    );
  });
});

test('a schema with anything else is refused at once', () => {
  expect(() => pruning(z.object({ at: z.date() }))).toThrow('cannot be pruned');
});
