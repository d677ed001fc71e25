import type { TokenBucket } from './behavior.ts';
import type { JsonObject } from './json.ts';

/** The APIs that have the resource: what stands after `/api/` in their paths. */
export type Api = 'atlas/v1.0' | 'atlas/v2' | 'public/v1.0';

/** What an API does differently from the others. */
export interface ApiTraits {
  /** Whether it has the version that the header Accept asks for. */
  readonly accepts: (accept: string) => boolean;
  /** Of an answer that is no error. */
  readonly contentType: string;
  /** The documented limit for each project; undefined where none is documented. */
  readonly bucket: TokenBucket | undefined;
  /** The member of an envelope that holds the answer. */
  readonly envelopeMember: 'content' | 'envelope';
  readonly clustersBy: 'name' | 'id';
  /** A job as this API tells it. */
  readonly present: (body: JsonObject) => JsonObject;
}

const V1: ApiTraits = {
  accepts: () => true,
  contentType: 'application/json',
  bucket: undefined,
  envelopeMember: 'content',
  clustersBy: 'name',
  present: (body) => body,
};

export const APIS: Readonly<Record<Api, ApiTraits>> = {
  'atlas/v1.0': V1,
  'atlas/v2': {
    ...V1,
    // The endpoints have this version alone. `*/*` and `application/json` name none.
    accepts: (accept) => accept.split(',').some((type) => type.trim() === 'application/vnd.atlas.2023-01-01+json'),
    contentType: 'application/vnd.atlas.2023-01-01+json;charset=utf-8',
    bucket: { capacity: 1200, refill: 500, periodSeconds: 60 },
  },
  'public/v1.0': {
    ...V1,
    envelopeMember: 'envelope',
    clustersBy: 'id',
    present: ({ clusterName: _name, hashes: _hashes, ...body }) => ({ ...body, hostId: null }),
  },
};
