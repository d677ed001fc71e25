import type { Atlas } from './atlas.ts';
import type { Cluster } from './cluster.ts';
import type { Images } from './images.ts';
import type { Programs } from './programs.ts';

/** What the test cases work with. */
export interface Environment {
  readonly programs: Programs;
  readonly images: Images;
  readonly cluster: Cluster;
  readonly atlas: Atlas;
  /** For files; it goes with the run. */
  readonly folder: string;
}

/** One row of the table. Later test cases build on what earlier ones left. */
export interface TestCase {
  readonly name: string;
  /** Resolves with what was seen or measured, in a few words; rejects with what is wrong. */
  readonly run: (environment: Environment) => Promise<string>;
}
