import { createHash } from 'node:crypto';
import { type Dispatcher, request } from 'undici';
import type { Api } from './apis.ts';
import type { DigestAlgorithm } from './behavior.ts';
import type { ApiKey } from './credentials.ts';
import type { JobIdentity } from './jobs.ts';

/** An answer as the reference client reads it. */
export interface ClientAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly text: string;
}

/** What an answer to a Digest challenge is made of. */
export interface DigestInput extends Pick<ApiKey, 'publicKey' | 'privateKey'> {
  readonly nonce: string;
  /** Path plus query. */
  readonly uri: string;
  /** Default GET. */
  readonly method?: string;
  /** Default 1. */
  readonly nc?: number;
  /** Default MD5. */
  readonly algorithm?: DigestAlgorithm;
}

/** Digest parameters by name, as written after the `=`: with their quotes. */
export type DigestParameters = Readonly<Record<string, string>>;

/** The path of a job, with an optional query (`?envelope=true`). */
export function jobPath(job: JobIdentity, query = '', api: Api = 'atlas/v1.0'): string {
  return `${listPath(job, '', api)}/${job.jobId}${query}`;
}

/** The path of a list, with an optional query (`?pageNum=2`). */
export function listPath(
  cluster: Pick<JobIdentity, 'groupId' | 'clusterName'>,
  query = '',
  api: Api = 'atlas/v1.0',
): string {
  return `/api/${api}/groups/${cluster.groupId}/clusters/${cluster.clusterName}/restoreJobs${query}`;
}

/** A right `Authorization` header; `tamper` makes it wrong, after the response was computed. */
export function digestAuthorization(
  { publicKey, privateKey, nonce, uri, method = 'GET', nc = 1, algorithm = 'MD5' }: DigestInput,
  tamper: (parameters: DigestParameters) => DigestParameters = (parameters) => parameters,
): string {
  const hash = (text: string) => createHash(algorithm).update(text).digest('hex');
  const realm = 'MMS Public API';
  const cnonce = 'f2c9a1f00b5d4a3e';
  const count = nc.toString(16).padStart(8, '0');
  const secret = hash(`${publicKey}:${realm}:${privateKey}`);
  const response = hash(`${secret}:${nonce}:${count}:${cnonce}:auth:${hash(`${method}:${uri}`)}`);
  const parameters = tamper({
    username: `"${publicKey}"`,
    realm: `"${realm}"`,
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    algorithm,
    qop: 'auth',
    nc: count,
    cnonce: `"${cnonce}"`,
    response: `"${response}"`,
  });
  const written = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  return `Digest ${written.join(', ')}`;
}

/** One GET without any cleverness. Rejects as undici does when there is no answer. */
export async function get(url: string, authorization?: string, options: GetOptions = {}): Promise<ClientAnswer> {
  const { accept, ...rest } = options;
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(accept === undefined ? {} : { accept }),
  };
  const { statusCode, headers: answered, body } = await request(url, { ...rest, headers });
  return { status: statusCode, headers: answered, text: await body.text() };
}

export type GetOptions = Pick<Dispatcher.RequestOptions, 'signal'> & {
  readonly dispatcher?: Dispatcher;
  /** The header Accept. */
  readonly accept?: string;
};

/** A nonce from the challenge of a first, unauthenticated request. Throws when the answer has none. */
export async function askForNonce(url: string, options: GetOptions = {}): Promise<string> {
  const { headers } = await get(url, undefined, options);
  const nonce = /nonce="([^"]+)"/.exec(String(headers['www-authenticate']))?.[1];
  if (nonce === undefined) throw new Error(`no challenge from ${url}`);
  return nonce;
}

/** A GET with HTTP Digest: two requests, a new nonce each time. */
export async function getWithKey(
  baseUrl: string,
  uri: string,
  key: Pick<ApiKey, 'publicKey' | 'privateKey'>,
  options: GetOptions = {},
): Promise<ClientAnswer> {
  const nonce = await askForNonce(baseUrl + uri, options);
  return get(baseUrl + uri, digestAuthorization({ ...key, nonce, uri }), options);
}

/** A form POST with client credentials, id and secret form-encoded as RFC 6749 wants them: the token or the revocation endpoint. */
export async function postForm(
  url: string,
  client: { readonly id: string; readonly secret: string },
  form: Readonly<Record<string, string>> | string,
): Promise<ClientAnswer> {
  const basic = Buffer.from(`${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`).toString('base64');
  const { statusCode, headers, body } = await request(url, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
  return { status: statusCode, headers, text: await body.text() };
}
