import type { InvalidParameter } from './api-error.ts';
import type { Behavior } from './behavior.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** What a request for a list asks for. */
export interface ListQuery {
  readonly pageNum: number;
  readonly itemsPerPage: number;
  readonly includeCount: boolean;
  readonly batchId: string | undefined;
}

/** The query of a list with its defaults, and the parameters that the API's schema does not allow. */
export function readListQuery(query: URLSearchParams): {
  readonly asked: ListQuery;
  readonly invalid: readonly InvalidParameter[];
} {
  const invalid: InvalidParameter[] = [];

  function text(name: string, pattern: RegExp, description: string): string | undefined {
    // Joined, so that a parameter that is there twice is wrong.
    const value = query.has(name) ? query.getAll(name).join() : undefined;
    if (value === undefined || pattern.test(value)) return value;
    invalid.push({ field: name, description });
    return undefined;
  }

  const asked = {
    pageNum: Number(text('pageNum', /^[1-9]\d{0,8}$/, 'must be a whole number from 1') ?? 1),
    itemsPerPage: Number(text('itemsPerPage', /^([1-9]\d?|[1-4]\d\d|500)$/, 'must be between 1 and 500') ?? 100),
    includeCount: text('includeCount', /^(true|false)$/, 'must be true or false') !== 'false',
    batchId: text('batchId', /^[a-f0-9]{24}$/, 'must be 24 digits of 0-9 and a-f'),
  };
  return { asked, invalid };
}

/** One page of all the jobs of a cluster. `path` is that of the list. */
export function listPage(
  all: readonly JsonObject[],
  path: string,
  query: ListQuery,
  { longestPage, pageLinks, totalCountError }: Behavior,
): JsonObject {
  const { pageNum, includeCount, batchId } = query;
  const size = Math.min(query.itemsPerPage, longestPage);
  const matching = batchId === undefined ? all : all.filter((body) => body['batchId'] === batchId);
  const end = pageNum * size;
  const links = pageLinks ? linksOf(path, query, { next: end < matching.length, previous: pageNum > 1 }) : [];
  return {
    links,
    results: matching.slice(end - size, end).map(itemOf),
    ...(includeCount ? { totalCount: Math.max(0, matching.length + totalCountError) } : {}),
  };
}

// The links of an item name itself alone; the answer to a single GET names the cluster too.
function itemOf(body: JsonObject): JsonObject {
  const { links } = body;
  return Array.isArray(links) ? { ...body, links: links.filter(isSelf) } : body;
}

function isSelf(link: JsonValue): boolean {
  return typeof link !== 'object' || link === null || !('rel' in link) || link['rel'] === 'self';
}

// Under the public name of Atlas, whatever was called: links are not for following.
function linksOf(path: string, query: ListQuery, has: { readonly next: boolean; readonly previous: boolean }) {
  const { pageNum, itemsPerPage, batchId } = query;
  const link = (rel: string, page: number): JsonObject => {
    const search = new URLSearchParams({ pageNum: String(page), itemsPerPage: String(itemsPerPage) });
    if (batchId !== undefined) search.set('batchId', batchId);
    return { href: `https://cloud.mongodb.com${path}?${search.toString()}`, rel };
  };
  return [
    link('self', pageNum),
    ...(has.previous ? [link('previous', pageNum - 1)] : []),
    ...(has.next ? [link('next', pageNum + 1)] : []),
  ];
}
