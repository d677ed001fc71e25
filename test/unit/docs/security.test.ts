import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { loadAll } from 'js-yaml';
import * as z from 'zod';

const Role = z.object({
  kind: z.enum(['Role', 'ClusterRole']),
  rules: z.array(z.object({ resources: z.array(z.string()), verbs: z.array(z.string()) })),
});

/** Verbs by resource, as the roles of a file grant them. */
function granted(file: string): Readonly<Record<string, readonly string[]>> {
  const roles = loadAll(readFileSync(file, 'utf8')).flatMap((document) => Role.safeParse(document).data ?? []);
  const rules = roles.flatMap((role) => role.rules);
  const resources = [...new Set(rules.flatMap((rule) => rule.resources))];
  return Object.fromEntries(
    resources.map((resource) => {
      const verbs = rules.filter((rule) => rule.resources.includes(resource)).flatMap((rule) => rule.verbs);
      return [resource, [...new Set(verbs)].toSorted()];
    }),
  );
}

const page = readFileSync('docs/security.md', 'utf8');
const tables = [...page.matchAll(/^\| resource \| verbs \| why \|\n\| --- .*\n((?:\|.*\n)+)/gm)].map(([, rows = '']) =>
  Object.fromEntries(
    [...rows.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map(([, resource = '', verbs = '']) => [
      resource,
      verbs.trim().split(', ').toSorted(),
    ]),
  ),
);

test('the page tells the rights that the operator is given, and no others', () => {
  expect(tables).toEqual([granted('deploy/base/rbac.yaml'), granted('deploy/base/delivery-secrets-rbac.yaml')]);
});
