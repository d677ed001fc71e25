/** What Argo CD (in gopher-lua, its own Lua), kstatus and Flux make of every state that a resource can be in. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { REASONS } from '../../src/restore-job/reasons.ts';
import { type HealthChecks, judgeHealth } from '../support/gitops/health-program.ts';
import { changed, HEALTH, lives } from '../support/gitops/life-cycles.ts';

let checks: HealthChecks;
beforeAll(async () => {
  const [lua, flux] = await Promise.all([
    readFile('deploy/gitops/argocd/health.lua', 'utf8'),
    readFile('deploy/gitops/flux/restores.yaml', 'utf8'),
  ]);
  checks = { lua, flux };
  // Builds the program where that was not done before.
  await judgeHealth(checks, []);
}, 900_000);

const LIVES = lives();
const CHANGED = LIVES.map(changed);

test('every condition and reason that the operator has is among the lives', () => {
  const reasons = LIVES.flatMap(({ object }) => object.status.conditions ?? []).map(({ reason }) => reason);
  expect([...new Set(reasons)].sort()).toEqual(Object.keys(REASONS).sort());
  expect(new Set(LIVES.map(({ situation }) => situation))).toEqual(new Set(Object.keys(HEALTH)));
});

describe.each([
  ['as the operator left it', LIVES],
  ['changed since', CHANGED],
])('%s', (_, all) => {
  test('every life has the health of its situation', async () => {
    const judged = await judgeHealth(
      checks,
      all.map(({ object }) => object),
    );
    const told = judged.map(({ argocd, kstatus, flux }, index) => [all[index]?.name, { argocd, kstatus, flux }]);
    expect(told).toEqual(all.map(({ name, situation }) => [name, HEALTH[situation]]));
  });

  test('Argo CD always has words for it, and no URL in them', async () => {
    const judged = await judgeHealth(
      checks,
      all.map(({ object }) => object),
    );
    for (const { message } of judged) {
      expect(message).toMatch(/^\S.*\.$/);
      expect(message).not.toContain('://');
    }
  });
});

test('a script or a Kustomization that is wrong is refused: the judges are no yes-men', async () => {
  const [first] = LIVES;
  if (first === undefined) throw new Error('no life');
  await expect(judgeHealth({ ...checks, lua: 'return string.upper("x")' }, [first.object])).rejects.toThrow('Argo CD');
  await expect(judgeHealth({ ...checks, lua: 'return nil' }, [first.object])).rejects.toThrow('instead of a table');
  const flux = checks.flux.replace('  wait: true', '  await: true');
  await expect(judgeHealth({ ...checks, flux }, [])).rejects.toThrow('unknown field "await"');
});
