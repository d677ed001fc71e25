import { describe, expect, test } from '@jest/globals';
import { releaseNotes } from '../../../scripts/changelog.ts';

const CHANGELOG = `# Changelog

## Unreleased

- Later.

## [1.1.0] - 2026-11-27

### Added

- Second.

## 1.0.0

- First.

## 1.0.0-rc.1
`;

describe('the notes of a release', () => {
  test.each([
    ['1.1.0', '### Added\n\n- Second.'],
    ['1.0.0', '- First.'],
  ])('%s: what stands below its heading', (version, notes) => {
    expect(releaseNotes(CHANGELOG, version)).toBe(notes);
  });

  test.each([
    ['a version that has no heading', '2.0.0', 'no heading "## 2.0.0"'],
    ['the beginning of a version', '1.1', 'no heading "## 1.1"'],
    ['a version of which nothing is said', '1.0.0-rc.1', 'says nothing of 1.0.0-rc.1'],
  ])('%s ends the release', (_name, version, message) => {
    expect(() => releaseNotes(CHANGELOG, version)).toThrow(message);
  });
});
