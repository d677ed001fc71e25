import { expect, test } from '@jest/globals';
import { parseJson } from '../../../src/net/json.ts';

test.each([
  ['{"a":[1,null]}', { a: [1, null] }],
  ['7', 7],
  ['null', null],
  ['', undefined],
  ['{"a":', undefined],
  ['<html>', undefined],
])('%p', (text, expected) => {
  expect(parseJson(text)).toEqual(expected);
});
