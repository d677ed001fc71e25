/** The pages and forms for people who ask, report or propose something. */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };

const read = (file: string): string => readFileSync(file, 'utf8');
const FORMS = globSync('.github/ISSUE_TEMPLATE/*.yml').filter((file) => !file.endsWith('config.yml'));

/** What GitHub needs of an issue form. */
const Form = z.strictObject({
  name: z.string().min(1),
  description: z.string().min(1),
  labels: z.array(z.string()),
  body: z.array(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('markdown'), attributes: z.strictObject({ value: z.string() }) }),
      z.strictObject({
        type: z.enum(['textarea', 'input']),
        id: z.string().regex(/^[a-z]+$/),
        attributes: z.strictObject({
          label: z.string(),
          description: z.string().optional(),
          render: z.string().optional(),
        }),
        validations: z.strictObject({ required: z.boolean() }).optional(),
      }),
    ]),
  ),
});

describe('issue forms', () => {
  test.each(FORMS)('%s is one', (file) => {
    const { body } = Form.parse(load(read(file)));
    const ids = body.flatMap((field) => (field.type === 'markdown' ? [] : [field.id]));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('there are forms, and a private way for vulnerabilities', () => {
    expect(FORMS.length).toBeGreaterThan(1);
    expect(read('.github/ISSUE_TEMPLATE/config.yml')).toContain(`${packageJson.homepage}/security/advisories/new`);
  });
});

test('the policies name this repository, and the Kubernetes version of the chart', () => {
  expect(read('SECURITY.md')).toContain(`${packageJson.homepage}/security/advisories/new`);
  const support = read('SUPPORT.md');
  expect(support).toContain(`${packageJson.homepage}/issues/new/choose`);
  const [, oldest = ''] = /kubeVersion: ">=(\d+\.\d+)\./.exec(read('charts/legacy-restore-operator/Chart.yaml')) ?? [];
  expect(support).toContain(`Kubernetes ${oldest} or later`);
});
