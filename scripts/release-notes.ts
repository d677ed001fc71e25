/** `npm run release-notes`: prints what the changelog says of the version in package.json; exits 1 if it says nothing. */
import { readFileSync } from 'node:fs';
import packageJson from '../package.json' with { type: 'json' };
import { releaseNotes } from './changelog.ts';

try {
  console.log(releaseNotes(readFileSync(new URL('../CHANGELOG.md', import.meta.url), 'utf8'), packageJson.version));
} catch (error) {
  console.error(Error.isError(error) ? error.message : error);
  process.exitCode = 1;
}
