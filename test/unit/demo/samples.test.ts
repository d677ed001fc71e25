import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { loadAll } from 'js-yaml';
import * as z from 'zod';
import { ROOT, readSamples } from '../../../demo/samples.ts';
import { API_VERSION, KIND, Spec } from '../../../src/api/legacy-restore-job.ts';

const FOLDER = path.join(ROOT, 'deploy/samples');
const Job = z.object({ apiVersion: z.literal(API_VERSION), kind: z.literal(KIND), spec: z.strictObject(Spec.shape) });
const Secret = z.object({ apiVersion: z.literal('v1'), kind: z.literal('Secret') });

test('every sample is a Secret or a LegacyRestoreJob without unknown fields', async () => {
  const files = await Array.fromAsync(glob('*.yaml', { cwd: FOLDER }));
  for (const file of files) {
    for (const document of loadAll(await readFile(path.join(FOLDER, file), 'utf8'))) {
      expect(z.union([Job, Secret]).safeParse(document)).toMatchObject({ success: true });
    }
  }
});

test('the demo knows every sample', async () => {
  const files = await Array.fromAsync(glob('deploy/samples/*.yaml', { cwd: ROOT }));
  expect(
    Object.values(await readSamples())
      .map(({ file }) => file)
      .toSorted(),
  ).toEqual(files.toSorted());
});
