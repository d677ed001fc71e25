/** The version, the names and the descriptions that stand in several files: package.json has the one that counts. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };

const REPOSITORY = packageJson.homepage;
const IMAGE = `ghcr.io/${REPOSITORY.slice('https://github.com/'.length)}`;

test('the lockfile has the version', () => {
  const lock = z.object({
    version: z.string(),
    packages: z.record(z.string(), z.looseObject({ version: z.string().optional() })),
  });
  const { version, packages } = lock.parse(JSON.parse(readFileSync('package-lock.json', 'utf8')));
  expect([version, packages['']?.version]).toEqual([packageJson.version, packageJson.version]);
});

test.each(['README.md', 'docs/install.md'])('%s says whether there is a release', (file) => {
  const isReleased = /^## \[?\d/m.test(readFileSync('CHANGELOG.md', 'utf8'));
  const saysNone = readFileSync(file, 'utf8').includes('No version has been released yet');
  expect(saysNone).toBe(!isReleased);
});

test('README.md names the versions of Kubernetes that the end-to-end tests are for', () => {
  const [, named = ''] =
    /end-to-end tests\]\(\S+\) are for ([^.]+\.\d+ and [^.]+\.\d+)\./.exec(readFileSync('README.md', 'utf8')) ?? [];
  const matrix = readFileSync('.github/workflows/e2e.yml', 'utf8').matchAll(/kubernetes: "(.+)"/g);
  expect(named.split(' and ')).toEqual([...matrix].map(([, version]) => version));
});

test.each(['docs/install.md', 'docs/gitops.md', 'docs/security.md'])('%s installs the version', (file) => {
  const text = readFileSync(file, 'utf8');
  const named = text.matchAll(/(?:[?]ref=v|download\/v|targetRevision: |tag: |operator:|artifact:)(\d+\.\d+\.\d+)/g);
  expect(new Set([...named].map(([, version]) => version))).toEqual(new Set([packageJson.version]));
});

test('the license names its holder, who is the author', () => {
  const license = readFileSync('LICENSE', 'utf8');
  expect(license).toMatch(new RegExp(`^ {3}Copyright 20\\d\\d ${packageJson.author}$`, 'm'));
  expect(license).not.toContain('[name of copyright owner]');
});

describe('the Dockerfile', () => {
  const text = readFileSync('Dockerfile', 'utf8');

  test('labels the image as package.json describes it', () => {
    const labels = Object.fromEntries(
      [...text.matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    );
    expect(labels).toEqual({
      title: packageJson.name,
      description: packageJson.description,
      licenses: packageJson.license,
      url: REPOSITORY,
      source: REPOSITORY,
    });
  });

  test('pins both base images by digest', () => {
    const images = [...text.matchAll(/^ARG (?:BUILD|RUNTIME)_IMAGE=(.*)$/gm)].map(([, image = '']) => image);
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(/^[\w.]+(?:\/[\w.-]+)+:[\w.-]+@sha256:[0-9a-f]{64}$/);
  });

  test('uses nothing that the classic builder of Docker does not know', () => {
    expect(text).not.toMatch(/^RUN --|<<|--chmod|--link/m);
  });
});

describe('the chart', () => {
  test('has the version as its own and as that of the operator', () => {
    const chart = z
      .object({
        name: z.string(),
        version: z.string(),
        appVersion: z.string(),
        home: z.string(),
        description: z.string(),
        annotations: z.object({ 'artifacthub.io/images': z.string() }),
      })
      .parse(load(readFileSync('charts/legacy-restore-operator/Chart.yaml', 'utf8')));
    expect(chart).toEqual({
      name: packageJson.name,
      version: packageJson.version,
      appVersion: packageJson.version,
      home: REPOSITORY,
      description: packageJson.description,
      annotations: {
        'artifacthub.io/images': expect.stringContaining(`legacy-restore-operator:${packageJson.version}\n`),
      },
    });
  });

  test('installs the image', () => {
    const { image } = z
      .object({ image: z.object({ repository: z.string(), tag: z.string(), digest: z.string() }) })
      .parse(load(readFileSync('charts/legacy-restore-operator/values.yaml', 'utf8')));
    // An empty tag stands for the version of the chart.
    expect(image).toEqual({ repository: IMAGE, tag: '', digest: '' });
  });
});

describe.each(['base', 'namespaced'])('deploy/%s', (folder) => {
  const text = readFileSync(`deploy/${folder}/kustomization.yaml`, 'utf8');

  test('has the version wherever it names one', () => {
    const versions = [...text.matchAll(/(?:newTag|app\.kubernetes\.io\/version): (\S+)/g)].map(([, found]) => found);
    expect(new Set(versions)).toEqual(new Set([packageJson.version]));
  });
});

test('kustomize installs the image of the version', () => {
  const { images } = z
    .object({ images: z.array(z.object({ name: z.string(), newTag: z.string() })) })
    .parse(load(readFileSync('deploy/base/kustomization.yaml', 'utf8')));
  expect(images).toEqual([{ name: IMAGE, newTag: packageJson.version }]);
});

test('the Job that downloads runs the image of the version', () => {
  const { spec } = z
    .object({
      spec: z.object({
        template: z.object({ spec: z.object({ containers: z.tuple([z.object({ image: z.string() })]) }) }),
      }),
    })
    .parse(load(readFileSync('deploy/download/job.yaml', 'utf8')));
  expect(spec.template.spec.containers[0].image).toBe(`${IMAGE}:${packageJson.version}`);
});
