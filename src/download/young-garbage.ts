/** Frees the buffers that a socket was read into: Node.js allocates one for each 64 KiB, and V8 keeps 64 MiB of them. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects what was allocated last, in a millisecond or less. V8 has no limit for such memory that could be set lower. */
export type CollectYoungGarbage = () => void;

/** Switches the function on that --expose-gc switches on, for nobody else. */
export function createCollector(): CollectYoungGarbage {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof collect === 'function' ? () => void collect({ type: 'minor' }) : () => undefined;
}
