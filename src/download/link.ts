/** Where a file is fetched from: the URL and, with urlV2, the header that opens it. Both are secrets. */
import { isPlainHttp } from '../config/values.ts';

export interface Link {
  readonly url: string;
  readonly header: { readonly name: string; readonly value: string } | undefined;
}

/** What Atlas gives for a download. */
export interface LinkFields {
  readonly url?: string | undefined;
  readonly urlV2?: string | undefined;
  readonly authHeader?: string | undefined;
  readonly authValue?: string | undefined;
}

/** What the fields make. */
export type LinkResult =
  | { readonly kind: 'link'; readonly link: Link }
  /** There is no URL. */
  | { readonly kind: 'none' }
  /** There is urlV2 without its header or the value of that, and no url. */
  | { readonly kind: 'headerMissing' }
  /** What is there is no URL or no header that can be sent. The problem is a sentence without an end. */
  | { readonly kind: 'unusable'; readonly problem: string };

/** Takes urlV2 before url: its key is not in the path. `plainOrigin`: the one that may be asked without TLS. */
export function readLink({ url, urlV2, authHeader, authValue }: LinkFields, plainOrigin?: string): LinkResult {
  if (urlV2 !== undefined && authHeader !== undefined && authValue !== undefined)
    return checked({ url: urlV2, header: { name: authHeader, value: authValue } }, plainOrigin);
  if (url !== undefined) return checked({ url, header: undefined }, plainOrigin);
  return { kind: urlV2 === undefined ? 'none' : 'headerMissing' };
}

export const sameLink = (left: Link, right: Link): boolean =>
  left.url === right.url && left.header?.name === right.header?.name && left.header?.value === right.header?.value;

/** Why a URL is not requested; undefined where it may be. Whoever reads along would have the data, and the header. */
export function urlProblem(url: URL | null, plainOrigin: string | undefined): string | undefined {
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') return 'is no https:// URL';
  return isPlainHttp(url.href) && url.origin !== plainOrigin ? 'is not https' : undefined;
}

function checked(link: Link, plainOrigin: string | undefined): LinkResult {
  const problem = urlProblem(URL.parse(link.url), plainOrigin);
  if (problem !== undefined) return { kind: 'unusable', problem: `the URL of the download ${problem}` };
  if (link.header !== undefined && !isHeader(link.header))
    return { kind: 'unusable', problem: 'the header of the download cannot be sent' };
  return { kind: 'link', link };
}

/** RFC 9110 sections 5.1 and 5.5: what is none would be an error of the network layer, whose message can repeat it. */
const isHeader = ({ name, value }: { readonly name: string; readonly value: string }): boolean =>
  /^[!#$%&'*+.^_`|~\w-]+$/.test(name) && /^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value) && !FRAMING.test(name);

/** What the request itself needs. */
const FRAMING = /^(host|connection|content-length|transfer-encoding|range|if-range|accept-encoding)$/i;
