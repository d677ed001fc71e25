/**
 * Which proxy a URL is requested through: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as Go's programs honor them, kubectl among
 * them (golang.org/x/net/http/httpproxy). undici's EnvHttpProxyAgent knows neither CIDR blocks nor an address without
 * scheme, and sends loopback addresses to the proxy.
 */
import { BlockList, isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ProxyAddress {
  /** Can hold a password: never for a message. */
  readonly url: string;
  /** What names it in messages: the variable. */
  readonly source: string;
}

/** The proxy is no URL that can be used. The message names where it stands, never the value. */
export class ProxySettingError extends Error {
  override readonly name = 'ProxySettingError';
}

/** The proxy that the environment names for a URL; undefined: it is requested directly. Throws ProxySettingError. */
export function proxyFor(url: URL, environment: Environment): ProxyAddress | undefined {
  const variables = url.protocol === 'https:' ? HTTPS_VARIABLES : HTTP_VARIABLES;
  const found = firstSet(environment, variables);
  if (found === undefined || isDirect(url, firstSet(environment, NO_PROXY_VARIABLES)?.value ?? '')) return undefined;
  return readProxy(found.value, found.name);
}

/** One sentence for each proxy variable whose value cannot be used, whether or not a request would need it. */
export function proxyProblems(environment: Environment): readonly string[] {
  return [HTTPS_VARIABLES, HTTP_VARIABLES].flatMap((variables) => {
    const found = firstSet(environment, variables);
    if (found === undefined) return [];
    try {
      readProxy(found.value, found.name);
      return [];
    } catch (error) {
      if (error instanceof ProxySettingError) return [error.message];
      throw error;
    }
  });
}

/** Reads the address of a proxy; without a scheme it is http. Throws ProxySettingError. */
export function readProxy(text: string, source: string): ProxyAddress {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text.trim()) ? text : `http://${text.trim()}`);
  if (url?.protocol.startsWith('socks') === true)
    throw new ProxySettingError(`${source} must be an http(s) proxy: SOCKS proxies are not supported`);
  if (url === null || !/^https?:$/.test(url.protocol) || !isDecodable(url.username + url.password))
    throw new ProxySettingError(`${source} must be the URL of a proxy, such as http://proxy.example.com:3128`);
  return { url: url.href, source };
}

// In Go's order: the first one that is set counts.
const HTTPS_VARIABLES = ['HTTPS_PROXY', 'https_proxy'] as const;
const HTTP_VARIABLES = ['HTTP_PROXY', 'http_proxy'] as const;
const NO_PROXY_VARIABLES = ['NO_PROXY', 'no_proxy'] as const;

function firstSet(
  environment: Environment,
  names: readonly string[],
): { readonly name: string; readonly value: string } | undefined {
  for (const name of names) {
    const value = environment[name] ?? '';
    if (value !== '') return { name, value };
  }
  return undefined;
}

/** A password with a bare percent sign would fail only with the first request, and undici's error would print it. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

interface Target {
  /** In lower case, an IPv6 address without brackets. */
  readonly host: string;
  readonly port: string;
}

function isDirect({ hostname, port, protocol }: URL, noProxy: string): boolean {
  const defaultPort = protocol === 'https:' ? '443' : '80';
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: port || defaultPort };
  if (target.host === 'localhost' || contains(LOOPBACK, target.host)) return true;
  return noProxy.split(',').some((entry) => matches(entry.trim().toLowerCase(), target));
}

function matches(entry: string, { host, port }: Target): boolean {
  if (entry === '*') return true;
  const block = blockOf(entry);
  if (block !== undefined) return contains(block, host);
  const [, v6, name = entry, entryPort = ''] = /^(?:\[(.*)\]|([^:]*)):([^:]*)$/.exec(entry) ?? [];
  const named = v6 ?? name;
  return (entryPort === '' || entryPort === port) && matchesHost(named, host);
}

/** The block of an entry in CIDR notation; undefined when it is none. */
function blockOf(entry: string): BlockList | undefined {
  const [, address = '', length = ''] = /^([^/]*)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(length) > (family === 4 ? 32 : 128)) return undefined;
  const block = new BlockList();
  block.addSubnet(address, Number(length), family === 4 ? 'ipv4' : 'ipv6');
  return block;
}

function matchesHost(named: string, host: string): boolean {
  if (named === '') return false;
  if (isIP(named) !== 0) {
    const one = new BlockList();
    one.addAddress(named, isIP(named) === 4 ? 'ipv4' : 'ipv6');
    return contains(one, host);
  }
  // A suffix is one of names: `.1` is not to match the address 10.0.0.1.
  if (isIP(host) !== 0) return false;
  const onlyBelow = /^\*?\./.test(named);
  const plain = named.replace(/^\*?\./, '');
  const domain = domainToASCII(plain) || plain;
  return host.endsWith(`.${domain}`) || (!onlyBelow && host === domain);
}

const contains = (block: BlockList, host: string): boolean =>
  isIP(host) !== 0 && block.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
