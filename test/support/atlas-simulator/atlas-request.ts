import type { AnswerFormat } from './answer.ts';
import type { InvalidParameter } from './api-error.ts';
import { APIS, type Api } from './apis.ts';
import type { Authorization } from './authorization.ts';

/** What a request asks for, told by its path alone. */
export type Route =
  | (ClusterRoute & { readonly kind: 'job'; readonly jobId: string })
  | (ClusterRoute & { readonly kind: 'list' })
  | { readonly kind: 'token' }
  | { readonly kind: 'revoke' }
  | { readonly kind: 'other' };

/** `clusterName` is an id where the API knows clusters by id. */
interface ClusterRoute {
  readonly api: Api;
  readonly groupId: string;
  readonly clusterName: string;
}

/** A request as the endpoints see it. */
export interface AtlasRequest {
  readonly method: string;
  /** Path plus query, as on the request line. */
  readonly target: string;
  readonly route: Route;
  readonly query: URLSearchParams;
  readonly authorization: Authorization;
  /** Empty where there is none. */
  readonly accept: string;
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
export function formatOf({ query, route }: Pick<AtlasRequest, 'query' | 'route'>): {
  readonly format: AnswerFormat;
  readonly invalid: readonly InvalidParameter[];
} {
  const asked = (name: string) => query.getAll(name).join();
  const member = 'api' in route ? APIS[route.api].envelopeMember : 'content';
  return {
    format: { envelope: asked('envelope') === 'true' ? member : 'none', pretty: asked('pretty') === 'true' },
    invalid: ['envelope', 'pretty']
      .filter((name) => query.has(name) && !/^(true|false)$/.test(asked(name)))
      .map((field) => ({ field, description: 'must be true or false' })),
  };
}

const JOBS_PATH = /^\/api\/(\w+\/v[\d.]+)\/groups\/([^/]+)\/clusters\/([^/]+)\/restoreJobs(?:\/([^/]+))?$/;

function routeOf(path: string): Route {
  if (path === '/api/oauth/token') return { kind: 'token' };
  if (path === '/api/oauth/revoke') return { kind: 'revoke' };
  const [, api = '', ...segments] = JOBS_PATH.exec(path) ?? [];
  const [groupId, clusterName, jobId] = segments.map((segment) => percentDecode(segment ?? ''));
  if (!isApi(api) || groupId === undefined || clusterName === undefined || jobId === undefined)
    return { kind: 'other' };
  const cluster = { api, groupId, clusterName };
  return jobId === '' ? { kind: 'list', ...cluster } : { kind: 'job', ...cluster, jobId };
}

function isApi(text: string): text is Api {
  return Object.hasOwn(APIS, text);
}

function percentDecode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
