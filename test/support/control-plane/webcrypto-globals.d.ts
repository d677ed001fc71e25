import type { webcrypto } from 'node:crypto';

/**
 * The declarations of @peculiar/x509, which envtest-js brings, take these names of the browser's WebCrypto for granted.
 * Node's types have them in a namespace only, and the DOM library would let server code use `window` as well.
 */
declare global {
  type Algorithm = webcrypto.Algorithm;
  type AlgorithmIdentifier = webcrypto.AlgorithmIdentifier;
  type BufferSource = NodeJS.BufferSource;
  type CryptoKeyPair = webcrypto.CryptoKeyPair;
  type EcKeyGenParams = webcrypto.EcKeyGenParams;
  type EcKeyImportParams = webcrypto.EcKeyImportParams;
  type EcdsaParams = webcrypto.EcdsaParams;
  type KeyUsage = webcrypto.KeyUsage;
  type RsaHashedImportParams = webcrypto.RsaHashedImportParams;
}
