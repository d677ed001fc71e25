/** The APIs that serve legacy restore jobs, and what sentences call whoever serves them. */

/**
 * What stands after `/api/` in URLs. `atlas/v2` is the same resource as `atlas/v1.0` with a version in the header Accept;
 * `public/v1.0` is that of Cloud Manager and Ops Manager, where clusters have ids instead of names.
 */
export const ATLAS_APIS = ['atlas/v1.0', 'atlas/v2', 'public/v1.0'] as const;
export type AtlasApi = (typeof ATLAS_APIS)[number];

/** What sentences call whoever serves that API. */
export const serverName = (api: AtlasApi): string => (api === 'public/v1.0' ? 'Ops Manager or Cloud Manager' : 'Atlas');

/** One of our own sentences; a function where it names the server. */
export type Sentence = string | ((server: string) => string);

export const sentenceFor = (api: AtlasApi, sentence: Sentence): string =>
  typeof sentence === 'string' ? sentence : sentence(serverName(api));
