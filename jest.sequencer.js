/* These take longest, and their files are small: jest, which starts large files first, would start them last and wait for them. */
import TestSequencer from '@jest/test-sequencer';

const isLong = ({ path }) => /\/(cluster-lists|soak)\.test\.ts$/.test(path);

export default class extends TestSequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => Number(isLong(other)) - Number(isLong(one)));
  }
}
