import type { AnswerFormat } from './answer.ts';
import type { InvalidParameter } from './api-error.ts';
import type { Authorization } from './authorization.ts';

/** What a request asks for, told by its path alone. */
export type Route =
  | { readonly kind: 'job'; readonly groupId: string; readonly clusterName: string; readonly jobId: string }
  | { readonly kind: 'list'; readonly groupId: string; readonly clusterName: string }
  | { readonly kind: 'token' }
  | { readonly kind: 'revoke' }
  | { readonly kind: 'other' };

/** A request as the endpoints see it. */
export interface AtlasRequest {
  readonly method: string;
  /** Path plus query, as on the request line. */
  readonly target: string;
  readonly route: Route;
  readonly query: URLSearchParams;
  readonly authorization: Authorization;
  readonly contentType: string;
  readonly body: string;
  /** The caller's IP address. */
  readonly address: string;
}

/** Splits a request target into what it asks for and its query. */
export function readTarget(target: string): { readonly route: Route; readonly query: URLSearchParams } {
  const [path = '', ...query] = target.split('?');
  return { route: routeOf(path), query: new URLSearchParams(query.join('?')) };
}

/** The format that the query asks for, and those format parameters that are neither `true` nor `false`. */
export function formatOf(query: URLSearchParams): {
  readonly format: AnswerFormat;
  readonly invalid: readonly InvalidParameter[];
} {
  const asked = (name: string) => query.getAll(name).join();
  return {
    format: { envelope: asked('envelope') === 'true', pretty: asked('pretty') === 'true' },
    invalid: ['envelope', 'pretty']
      .filter((name) => query.has(name) && !/^(true|false)$/.test(asked(name)))
      .map((field) => ({ field, description: 'must be true or false' })),
  };
}

const JOBS_PATH = /^\/api\/atlas\/v1\.0\/groups\/([^/]+)\/clusters\/([^/]+)\/restoreJobs(?:\/([^/]+))?$/;

function routeOf(path: string): Route {
  if (path === '/api/oauth/token') return { kind: 'token' };
  if (path === '/api/oauth/revoke') return { kind: 'revoke' };
  const [, ...segments] = JOBS_PATH.exec(path) ?? [];
  const [groupId, clusterName, jobId] = segments.map((segment) => percentDecode(segment ?? ''));
  if (groupId === undefined || clusterName === undefined || jobId === undefined) return { kind: 'other' };
  return jobId === '' ? { kind: 'list', groupId, clusterName } : { kind: 'job', groupId, clusterName, jobId };
}

function percentDecode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
