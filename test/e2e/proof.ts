import type { Atlas } from './atlas.ts';
import type { Cluster } from './cluster.ts';
import type { Images } from './images.ts';
import type { Programs } from './programs.ts';

/** What the proofs work with. */
export interface Stage {
  readonly programs: Programs;
  readonly images: Images;
  readonly cluster: Cluster;
  readonly atlas: Atlas;
  /** For files; it goes with the run. */
  readonly folder: string;
}

/** One row of the table. Later proofs build on what earlier ones left. */
export interface Proof {
  readonly name: string;
  /** Resolves with what was seen or measured, in a few words; rejects with what is wrong. */
  readonly prove: (stage: Stage) => Promise<string>;
}
