/* The soak takes longest, and its file is small: jest, which starts large files first, would start it last and wait for it. */
import TestSequencer from '@jest/test-sequencer';

const isSoak = ({ path }) => path.endsWith('/soak.test.ts');

export default class extends TestSequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => Number(isSoak(other)) - Number(isSoak(one)));
  }
}
