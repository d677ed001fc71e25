/** The APIs that serve legacy restore jobs, and what sentences call whoever serves them. */

/**
 * What stands after `/api/` in URLs. `atlas/v2` is the same resource as `atlas/v1.0` with a version in the header Accept;
 * `public/v1.0` is that of Cloud Manager and Ops Manager, where clusters have ids instead of names.
 */
export const ATLAS_APIS = ['atlas/v1.0', 'atlas/v2', 'public/v1.0'] as const;
export type AtlasApi = (typeof ATLAS_APIS)[number];

/**
 * One of our own sentences, which are all written for Atlas, for the API that is asked. Only before anything from outside
 * is put into it: a cluster can be called Atlas, too.
 */
export const wordedFor = (api: AtlasApi, sentence: string): string =>
  api === 'public/v1.0' ? sentence.replaceAll('Atlas', 'Ops Manager or Cloud Manager') : sentence;
