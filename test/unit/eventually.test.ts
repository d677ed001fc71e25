import { expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';

test('what the first good try returns is given back', async () => {
  let tries = 0;
  const value = await eventually('the third try', () => {
    tries += 1;
    if (tries < 3) throw new Error('not yet');
    return tries;
  });
  expect(value).toBe(3);
});

test('at the deadline, the description and the last error are told', async () => {
  const never = eventually('the moon is made of cheese', () => Promise.reject(new Error('it is rock')), {
    timeoutMs: 50,
    intervalMs: 5,
  });
  await expect(never).rejects.toThrow('the moon is made of cheese: not within 50 ms; last error: it is rock');
});

test('a try that never settles does not hide the description', async () => {
  const never = eventually('an answer', () => new Promise<never>(() => {}), { timeoutMs: 50 });
  await expect(never).rejects.toThrow('an answer: not within 50 ms; last error: a try was still running');
});
