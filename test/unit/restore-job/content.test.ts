import { expect, test } from '@jest/globals';
import { Status } from '../../../src/api/legacy-restore-job.ts';
import { RestoreJob } from '../../../src/api/restore-job.ts';
import { contentOf } from '../../../src/restore-job/content.ts';

test('the content of a status is every field of Atlas and whether a URL is withheld, and nothing of the operator', () => {
  const status: Status = Object.fromEntries(Object.keys(Status.shape).map((field) => [field, undefined]));
  expect(Object.keys(contentOf(status)).toSorted()).toEqual(
    [...Object.keys(RestoreJob.shape), 'urlWithheld'].toSorted(),
  );
});
