import path from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { downloadFiles, fileNameOf, isFileName, safeFileName } from '../../../src/download/file-name.ts';

test.each([
  [
    'https://h/backup/restore/v2/pull/x/key=/Cluster0-shard-1-1516661094-6b77.tar.gz',
    'Cluster0-shard-1-1516661094-6b77.tar.gz',
  ],
  ['https://h/a%20b.tar?token=x#y', 'a b.tar'],
  ['https://h/%E0%A4%A', '%E0%A4%A'],
  ['https://h/', ''],
  ['no URL', ''],
])('%s is called %j', (url, name) => {
  expect(fileNameOf(url)).toBe(name);
});

test.each<[string, string | undefined]>([
  ['Cluster0-shard-1.tar.gz', 'Cluster0-shard-1.tar.gz'],
  ['a b.tar', 'a_b.tar'],
  ['../../etc/passwd', '_.._etc_passwd'],
  ['..', undefined],
  ['.bashrc', 'bashrc'],
  ['--help', 'help'],
  ['\u001b[2J\u202e', '__2J_'],
  ['', undefined],
])('%j becomes %j', (name, safe) => {
  expect(safeFileName(name)).toBe(safe);
});

test('whatever a URL says stays in the directory, and the file system takes it and what is beside it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.webPath()), (text) => {
      const name = safeFileName(text);
      if (name === undefined) return;
      expect(name).toMatch(/^[\w+=@,][\w.+=@,-]*$/);
      const files = downloadFiles('/restore', name);
      for (const file of [files.file, files.part, files.partInfo, files.sha1, files.corrupt]) {
        expect(path.dirname(file)).toBe('/restore');
        expect(Buffer.byteLength(path.basename(file))).toBeLessThan(255);
      }
    }),
  );
});

test.each<[string, boolean]>([
  ['backup of friday.tar.gz', true],
  ['café au lait.tar', true],
  ['a/b', false],
  ['..', false],
  ['.', false],
  ['', false],
  ['a\nb', false],
  ['a'.repeat(201), false],
])('whether a person can call the file %j: %j', (name, expected) => {
  expect(isFileName(name)).toBe(expected);
});
