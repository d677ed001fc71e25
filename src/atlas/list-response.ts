/** Reads one page of a list of restore jobs, as leniently as a single one is read. */
import * as z from 'zod';
import type { Sentence } from '../api/atlas-api.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { AtlasError } from './errors.ts';
import { readContent, readRestoreJob } from './response.ts';

/** A restore job that a list names. */
export interface ListedJob extends RestoreJobResponse {
  readonly id: string;
}

export interface ListPage {
  readonly jobs: readonly ListedJob[];
  /** Of all entries, those that cannot be read too. */
  readonly entryCount: number;
  /** What the links of the page say of the next one; `none` where it has no links. */
  readonly links: 'none' | 'next' | 'last';
}

/** The page of a response body, or the error that the response means. */
export function readListPage(
  httpStatus: number,
  body: string,
  retryAfterMs: number | undefined,
): ListPage | AtlasError {
  const content = readContent(httpStatus, body, retryAfterMs);
  if (content instanceof AtlasError) return content;
  const page = SentPage.safeParse(content).data;
  if (page === undefined) {
    const sentence: Sentence = (server) => `${server} answered 200, but not with a list of restore jobs`;
    return new AtlasError('ATLAS_NOT_A_LIST', sentence, { httpStatus: 200 });
  }
  const relations = page.links.map(({ rel }) => rel).filter((rel) => rel !== undefined);
  return {
    jobs: page.results.flatMap(readEntry),
    entryCount: page.results.length,
    links: linksOf(relations),
  };
}

/** Links are a hint only: whatever is wrong with them must not make the page unusable. A link can be `{}`. */
const Link = z.object({ rel: z.string().optional().catch(undefined) }).catch({});
const SentPage = z.object({ results: z.array(z.unknown()), links: z.array(Link).catch([]) });

/** What has no id cannot be told from the others. */
function readEntry(entry: unknown): readonly ListedJob[] {
  const read = readRestoreJob(entry);
  const id = read?.job.id ?? '';
  return read === undefined || id === '' ? [] : [{ ...read, id }];
}

function linksOf(relations: readonly string[]): ListPage['links'] {
  if (relations.length === 0) return 'none';
  return relations.includes('next') ? 'next' : 'last';
}
