/** Reads CHANGELOG.md, which has the format of Keep a Changelog. */

/**
 * What the changelog says of a version, without its heading. Throws when there is no heading of that version, or nothing
 * below it.
 */
export function releaseNotes(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => headingOf(text) === version);
  if (section === undefined)
    throw new Error(`CHANGELOG.md has no heading "## ${version}": rename "## Unreleased" before you tag a release`);
  const notes = section.slice(section.indexOf('\n')).trim();
  if (notes === '') throw new Error(`CHANGELOG.md says nothing of ${version}`);
  return notes;
}

/** The version of a heading such as `0.1.0`, `[0.1.0]` or `[0.1.0] - 2026-11-27`. */
const headingOf = (section: string): string | undefined =>
  /^\[?([^\s\]]+)\]?(?: - \d{4}-\d{2}-\d{2})?$/.exec(section.split('\n')[0]?.trim() ?? '')?.[1];
