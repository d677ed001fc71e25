/* Preloaded into a process: node:crypto computes no MD5, as in FIPS mode, which cannot be switched on everywhere. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const { hash } = crypto;
crypto.hash = (algorithm, ...rest) => {
  if (algorithm === 'md5') throw new Error('error:0308010C:digital envelope routines::unsupported');
  return hash(algorithm, ...rest);
};
syncBuiltinESMExports();
