/* Preloaded into a process: node:crypto computes no SHA-1, as FIPS mode may refuse it, which cannot be switched on everywhere. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const { createHash } = crypto;
crypto.createHash = (algorithm, ...rest) => {
  if (algorithm === 'sha1') throw new Error('error:0308010C:digital envelope routines::unsupported');
  return createHash(algorithm, ...rest);
};
syncBuiltinESMExports();
