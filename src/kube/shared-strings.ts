/**
 * Thousands of cached objects say the same things: reasons, messages, ids of projects and clusters. JSON.parse makes each
 * of these strings newly; here the equal ones become one.
 */

/** Strings that are remembered. One that falls out costs a copy, nothing else. */
const SLOTS = 8_192;
/** Longer ones are rarely equal, and take long to compare. */
const MAX_LENGTH = 128;
/** Characters that are hashed. */
const HASHED = 12;

const slots: string[] = Array.from({ length: SLOTS }, () => '');

/** The value, of which every string in plain objects and lists is replaced in place by an equal one that was seen before. */
export function shareStrings<T>(value: T): T {
  if (isObject(value)) shareMembers(value);
  return value;
}

function shareMembers(object: Record<string, unknown>): void {
  for (const key of Object.keys(object)) {
    const member = object[key];
    if (typeof member === 'string') object[key] = shared(member);
    else shareStrings(member);
  }
}

/** Lists too: their indices are keys. */
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function shared(text: string): string {
  if (text.length > MAX_LENGTH) return text;
  const slot = slotOf(text);
  const known = slots[slot];
  if (known === text) return known;
  slots[slot] = text;
  return text;
}

/** FNV-1a over the length and the last characters: that is where ids, names and hashes differ. */
function slotOf(text: string): number {
  let hash = 0x811c9dc5 ^ text.length;
  for (let index = Math.max(0, text.length - HASHED); index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % SLOTS;
}
