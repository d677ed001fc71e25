/** The operator's program that tests start: the bundle that `npm test` makes first, as it ships, else the sources. */
import path from 'node:path';

/** Path of the file that node runs. */
export const PROGRAM = process.env['OPERATOR_PROGRAM'] ?? path.join(import.meta.dirname, '../../src/main.ts');
