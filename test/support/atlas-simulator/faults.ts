import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type AnswerFormat, type AnswerHeaders, jsonAnswer, PLAIN } from './answer.ts';
import type { Route } from './atlas-request.ts';
import type { JsonValue } from './json.ts';
import type { Reply } from './reply.ts';

/** Something that goes wrong. */
export type Fault =
  /** A status with an empty body, or with this JSON. After authentication the envelope applies to it. */
  | { readonly kind: 'status'; readonly status: number; readonly json?: JsonValue; readonly headers?: AnswerHeaders }
  /** An HTML page of a proxy in front of Atlas; 503 when no status is given. */
  | { readonly kind: 'html'; readonly status?: number; readonly headers?: AnswerHeaders }
  /** 302 when no status is given. */
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  | { readonly kind: 'reset'; readonly phase: 'before-answer' | 'mid-body' }
  | { readonly kind: 'stall'; readonly phase: 'accept' | 'headers' | 'body' }
  /** The usual answer, this many milliseconds late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The usual answer as it is when the request arrives, sent once the promise is fulfilled. */
  | { readonly kind: 'held'; readonly until: Promise<void> }
  /** The whole HTTP message, byte for byte; then the connection is closed. */
  | { readonly kind: 'raw'; readonly bytes: string | Uint8Array }
  /** 200 and `application/json` with this body: text that need not be JSON. */
  | { readonly kind: 'body'; readonly body: string | Uint8Array }
  /** Changes the usual answer. */
  | { readonly kind: 'transform'; readonly transform: (answer: Answer) => Answer };

/** When a fault strikes: before the credentials are looked at, or only on requests that the credentials let through. */
export type FaultMoment = 'before-auth' | 'after-auth';

/** The requests that a fault is meant for: all members that are given must match. */
export interface FaultMatch {
  readonly kind?: Route['kind'];
  readonly jobId?: string;
  readonly groupId?: string;
  readonly clusterName?: string;
  /** The user name of the Digest header: a first request, without credentials, has none. */
  readonly publicKey?: string;
  /** The client of a token request, or the owner of an access token. */
  readonly clientId?: string;
}

export interface FaultRule {
  readonly match?: FaultMatch;
  /** How many requests it strikes; without it, every one until it is removed. */
  readonly times?: number;
  /** `before-auth` when not given. */
  readonly when?: FaultMoment;
  readonly fault: Fault;
}

/** A fault that was added. */
export interface FaultHandle {
  remove(): void;
  /** How many requests it has struck. */
  hits(): number;
}

/** The faults that wait. Of several that match, the one added first strikes, alone. */
export interface Faults {
  add(rule: FaultRule): FaultHandle;
  clear(): void;
}

/** What is known of a request when faults are looked for. */
export type FaultFacts = Required<{ readonly [Member in keyof FaultMatch]: string | undefined }>;

/** The side of the faults that the server uses. */
export interface FaultSource {
  readonly faults: Faults;
  /** The fault that strikes this request now; counts as a hit. */
  take(when: FaultMoment, facts: FaultFacts): Fault | undefined;
}

export function createFaultSource(): FaultSource {
  const entries = new Set<{ readonly rule: FaultRule; hits: number }>();
  return {
    faults: {
      add(rule) {
        const entry = { rule, hits: 0 };
        entries.add(entry);
        return { remove: () => void entries.delete(entry), hits: () => entry.hits };
      },
      clear: () => entries.clear(),
    },
    take(when, facts) {
      for (const entry of entries) {
        const { match = {}, times = Number.POSITIVE_INFINITY, when: moment = 'before-auth', fault } = entry.rule;
        if (moment !== when || !matches(match, facts) || entry.hits >= times) continue;
        entry.hits += 1;
        if (entry.hits >= times) entries.delete(entry);
        return fault;
      }
      return undefined;
    },
  };
}

/**
 * Carries out a fault. `usual` gives the answer without the fault: it is asked only where the fault needs it, and after a delay, so that
 * the answer is as late as its sending.
 */
export async function replyWithFault(
  fault: Fault | undefined,
  usual: () => Promise<Reply>,
  { format = PLAIN, stopped }: { readonly format?: AnswerFormat; readonly stopped: AbortSignal },
): Promise<Reply> {
  switch (fault?.kind) {
    case undefined:
      return usual();
    case 'delay':
      await sleep(fault.ms, undefined, { signal: stopped });
      return usual();
    case 'held': {
      const reply = await usual();
      await Promise.race([fault.until, aborted(stopped)]);
      return reply;
    }
    case 'transform': {
      const reply = await usual();
      return reply.kind === 'answer' ? answered(fault.transform(reply.answer)) : reply;
    }
    case 'reset':
      return { kind: 'reset', phase: fault.phase, answer: CUT_SHORT };
    case 'stall':
      return { kind: 'stall', phase: fault.phase, answer: CUT_SHORT };
    case 'raw':
      return { kind: 'raw', bytes: fault.bytes };
    case 'status':
      return answered(statusAnswer(fault, format));
    case 'html':
      return answered(htmlAnswer(fault.status ?? 503, fault.headers ?? {}));
    case 'redirect':
      return answered({ status: fault.status ?? 302, headers: { Location: fault.location }, body: '' });
    case 'body':
      return answered({ status: 200, headers: { 'Content-Type': 'application/json' }, body: fault.body });
  }
}

// What a connection that breaks in the middle of a body was about to send.
const CUT_SHORT = jsonAnswer(200, {
  clusterName: 'Cluster0',
  statusName: 'IN_PROGRESS',
  delivery: { methodName: 'HTTP' },
});

/** Rejects when the simulator stops. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(new Error('the simulator was stopped'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function answered(answer: Answer): Reply {
  return { kind: 'answer', answer };
}

function statusAnswer(fault: Extract<Fault, { kind: 'status' }>, format: AnswerFormat): Answer {
  if (fault.json !== undefined) return jsonAnswer(fault.status, fault.json, fault.headers, format);
  return { status: fault.status, headers: fault.headers ?? {}, body: '' };
}

function htmlAnswer(status: number, headers: AnswerHeaders): Answer {
  const body = `<html>\r\n<head><title>${status}</title></head>\r\n<body><center><h1>${status}</h1></center></body>\r\n</html>\r\n`;
  return { status, headers: { 'Content-Type': 'text/html', ...headers }, body };
}

function matches(match: FaultMatch, facts: FaultFacts): boolean {
  return (
    agrees(match.kind, facts.kind) &&
    agrees(match.jobId, facts.jobId) &&
    agrees(match.groupId, facts.groupId) &&
    agrees(match.clusterName, facts.clusterName) &&
    agrees(match.publicKey, facts.publicKey) &&
    agrees(match.clientId, facts.clientId)
  );
}

function agrees(wanted: string | undefined, actual: string | undefined): boolean {
  return wanted === undefined || wanted === actual;
}
