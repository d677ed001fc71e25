/** The files of the demo's restore jobs. The Atlas simulator serves them, as Atlas's download hosts do. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import * as z from 'zod';
import type { Serving } from '../test/support/atlas-simulator/files.ts';
import type { JsonObject } from '../test/support/atlas-simulator/json.ts';
import type { AtlasSimulator } from '../test/support/atlas-simulator/simulator.ts';

/** A download that breaks in the middle, at a host that lets it be resumed. */
export const BROKEN_ONCE: readonly Serving[] = [
  { kind: 'file', etag: '"1"', ranges: true, cutAfter: 1_500_000 },
  { kind: 'file', etag: '"1"', ranges: true },
];

/** Where the simulator puts the file of a body, once it is in the folder. */
export const fileNameOf = (url: string): string => path.posix.basename(new URL(url).pathname);

/** The body with a file that can be fetched, if it offers one. Atlas tells the hash once somebody has fetched it. */
export function withFile(
  atlas: AtlasSimulator,
  jobId: string,
  body: JsonObject,
  servings: readonly Serving[] = [],
): JsonObject {
  const offer = Offer.safeParse(body).data;
  if (offer === undefined) return body;
  const { url, urlV2, authHeader = '', authValue = '' } = offer.delivery;
  const name = fileNameOf(url);
  const file = atlas.files.put({
    name,
    content: randomBytes(FILE_BYTES),
    key: `key-of-${jobId}`,
    ...(urlV2 === undefined ? {} : { header: { name: authHeader, value: authValue } }),
    servings,
    onDownloaded: () => atlas.setBody(jobId, downloaded),
  });
  const delivery = {
    ...offer.delivery,
    url: atlas.url + file.path,
    ...(urlV2 === undefined ? {} : { urlV2: atlas.url + file.pathV2 }),
  };
  const downloaded = { ...body, delivery, hashes: [{ fileName: name, hash: file.sha1, typeName: 'SHA1' }] };
  return offer.hashes.length > 0 ? downloaded : { ...body, delivery };
}

const FILE_BYTES = 4 * 1_024 * 1_024;

const Offer = z.object({
  delivery: z.looseObject({
    statusName: z.literal('READY'),
    url: z.string(),
    urlV2: z.string().exactOptional(),
    authHeader: z.string().exactOptional(),
    authValue: z.string().exactOptional(),
  }),
  hashes: z.array(z.unknown()),
});
