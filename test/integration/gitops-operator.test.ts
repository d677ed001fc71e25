/** The GitOps examples that install the operator: Argo CD and Flux take them, and they install this chart. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { load, loadAll } from 'js-yaml';
import * as z from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { readSettings } from '../../src/config/settings.ts';
import { checkFluxTypes } from '../support/gitops/flux-types.ts';
import { DEFAULT_RELEASE, environmentOf, helmTemplate, type Manifest, rolesOf } from '../support/manifests.ts';

const REPOSITORY = packageJson.homepage.slice('https://github.com/'.length);
const CHARTS = `ghcr.io/${REPOSITORY.split('/')[0]}/charts`;

const read = (file: string): Promise<string> => readFile(`deploy/gitops/${file}`, 'utf8');

/** What the chart must render with the values of an example. */
function expectOperator(manifests: readonly Manifest[]): void {
  expect(readSettings([], environmentOf(manifests)).ok).toBe(true);
  expect(rolesOf(manifests).map(({ metadata }) => metadata.name)).toContain('legacy-restore-operator-delivery-secrets');
}

describe('Flux', () => {
  const FILES = ['flux/operator.yaml', 'flux/operator/release.yaml', 'flux/restores.yaml'];
  // Builds the program where that was not done before.
  beforeAll(() => checkFluxTypes(''), 900_000);

  test.each(FILES)('%s is what its types know', async (file) => {
    await checkFluxTypes(await read(file));
  });

  test('a misspelled member, and an object that is not of Flux, are refused', async () => {
    const release = await read('flux/operator/release.yaml');
    await expect(checkFluxTypes(release.replace('chartRef', 'chartReference'))).rejects.toThrow('"chartReference"');
    await expect(checkFluxTypes('apiVersion: v1\nkind: Namespace\n')).rejects.toThrow('no type of Flux');
  });

  const Named = z.looseObject({ kind: z.string(), metadata: z.object({ name: z.string(), namespace: z.string() }) });
  const OciRepository = Named.extend({
    kind: z.literal('OCIRepository'),
    spec: z.looseObject({
      url: z.string(),
      ref: z.strictObject({ tag: z.string() }),
      verify: z.object({
        provider: z.literal('cosign'),
        matchOIDCIdentity: z.tuple([z.object({ issuer: z.string(), subject: z.string() })]),
      }),
    }),
  });
  const HelmRelease = Named.extend({
    kind: z.literal('HelmRelease'),
    spec: z.looseObject({
      chartRef: z.object({ kind: z.string(), name: z.string() }),
      releaseName: z.string(),
      targetNamespace: z.string(),
      values: z.record(z.string(), z.unknown()),
    }),
  });
  const release = async () =>
    z.tuple([OciRepository, HelmRelease]).parse(loadAll(await read('flux/operator/release.yaml')));

  test('the HelmRelease installs this version of the chart, as the default release', async () => {
    const [source, { metadata, spec }] = await release();
    expect(source.spec).toMatchObject({
      url: `oci://${CHARTS}/${packageJson.name}`,
      ref: { tag: packageJson.version },
    });
    expect(spec.chartRef).toEqual({ kind: source.kind, name: source.metadata.name });
    expect(metadata.namespace).toBe(source.metadata.namespace);
    const name = { name: spec.releaseName, namespace: spec.targetNamespace };
    expect(name).toEqual(DEFAULT_RELEASE);
    expectOperator(await helmTemplate(spec.values, name));
  });

  test('the chart is verified as one of the release workflow, and no other workflow can sign one', async () => {
    const [{ spec }] = await release();
    const [{ issuer, subject }] = spec.verify.matchOIDCIdentity;
    expect('https://token.actions.githubusercontent.com').toMatch(new RegExp(issuer));
    const identity = (workflow: string, ref: string) =>
      `${packageJson.homepage}/.github/workflows/${workflow}@refs/${ref}`;
    expect(identity('release.yml', `tags/v${packageJson.version}`)).toMatch(new RegExp(subject));
    expect(identity('ci.yml', `tags/v${packageJson.version}`)).not.toMatch(new RegExp(subject));
    expect(identity('release.yml', 'heads/main')).not.toMatch(new RegExp(subject));
  });

  test('the restores depend on the Kustomization that installs the operator', async () => {
    const operator = Named.parse(load(await read('flux/operator.yaml')));
    const restores = Named.extend({ spec: z.looseObject({ dependsOn: z.array(z.object({ name: z.string() })) }) });
    const { spec, metadata } = restores.parse(load(await read('flux/restores.yaml')));
    expect(spec.dependsOn).toEqual([{ name: operator.metadata.name }]);
    expect(metadata.namespace).toBe(operator.metadata.namespace);
  });
});

describe('Argo CD', () => {
  /** The members of an Application that the example uses, from the documentation of Argo CD. */
  const Application = z.strictObject({
    apiVersion: z.literal('argoproj.io/v1alpha1'),
    kind: z.literal('Application'),
    metadata: z.strictObject({ name: z.string(), namespace: z.literal('argocd') }),
    spec: z.strictObject({
      project: z.string(),
      source: z.strictObject({
        repoURL: z.string(),
        chart: z.string(),
        targetRevision: z.string(),
        helm: z.strictObject({ releaseName: z.string(), valuesObject: z.record(z.string(), z.unknown()) }),
      }),
      destination: z.strictObject({ server: z.url(), namespace: z.string() }),
      syncPolicy: z.strictObject({
        automated: z.strictObject({ prune: z.boolean(), selfHeal: z.boolean() }),
        syncOptions: z.array(z.string().regex(/^[A-Z][A-Za-z]+=true$/)),
      }),
    }),
  });

  test('the Application installs this version of the chart, as the default release', async () => {
    const { spec } = Application.parse(load(await read('argocd/operator.yaml')));
    const { helm, ...source } = spec.source;
    expect(source).toEqual({ repoURL: CHARTS, chart: packageJson.name, targetRevision: packageJson.version });
    const name = { name: helm.releaseName, namespace: spec.destination.namespace };
    expect(name).toEqual(DEFAULT_RELEASE);
    expectOperator(await helmTemplate(helm.valuesObject, name));
  });
});
