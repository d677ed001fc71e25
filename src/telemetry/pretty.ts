/** The log for people: a line has the time, the level, which resource, what happened, and few fields. */
import type { PrettyOptions } from 'pino-pretty';
import { oneLine } from '../api/printable.ts';

/** pino-pretty takes a member `name` for that of a logger: the resource goes under another one before. */
export function nameResource(fields: Record<string, unknown>): Record<string, unknown> {
  const { namespace, name, ...rest } = fields;
  return name === undefined ? fields : { resource: `${text(namespace)}/${text(name)}`, ...rest };
}

export const PRETTY: PrettyOptions = {
  sync: true,
  hideObject: true,
  translateTime: 'SYS:HH:MM:ss',
  customPrettifiers: { time: (time) => text(time) },
  messageFormat: (line, messageKey) => prettyMessage(line, text(line[messageKey])),
};

/** Stands elsewhere in the line, or helps machines alone. */
const HIDDEN: ReadonlySet<string> = new Set([
  'level',
  'time',
  'version',
  'msg',
  'resource',
  'uid',
  'jobId',
  'requestId',
]);

function prettyMessage(line: Readonly<Record<string, unknown>>, message: string): string {
  const { resource, stack, error, ...rest } = line;
  const subject = typeof resource === 'string' ? [`${resource}:`] : [];
  // A stack begins with the message of its error.
  const fields = Object.entries(stack === undefined ? { error, ...rest } : rest)
    .filter(([name, value]) => !HIDDEN.has(name) && value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${shown(value)}`);
  const sentence = [...subject, oneLine(message), ...fields].join(' ');
  return typeof stack === 'string' ? `${sentence}\n${stack.split('\n').map(oneLine).join('\n    ')}` : sentence;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const shown = (value: unknown): string =>
  typeof value === 'string' && /^[\w./:@+-]+$/.test(value) ? value : oneLine(JSON.stringify(value));
