/** Finds what an expression of PromQL selects; whether it is one at all is promtool's to say. */
import type { Sample } from './scrape.ts';

export interface Selector {
  readonly name: string;
  readonly matchers: readonly Matcher[];
}

export interface Matcher {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

/** The selectors of an expression, in their order. */
export function selectorsOf(expression: string): Selector[] {
  const tokens: readonly string[] = expression.match(TOKEN) ?? [];
  const selectors: Selector[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    if (LABEL_LISTS.has(token)) {
      if (tokens[at + 1] === '(') at = tokens.indexOf(')', at);
    } else if (isMetric(token, tokens[at + 1])) {
      const end = tokens[at + 1] === '{' ? tokens.indexOf('}', at) : at;
      selectors.push({ name: token, matchers: matchersOf(tokens.slice(at + 1, end)) });
      at = end;
    }
  }
  return selectors;
}

/**
 * Whether a scrape has what is selected: for each alternative of a matcher such as `code=~"5xx|none"` a series of its
 * own. `added`: the labels that Prometheus adds to every series of a target, which no scrape has.
 */
export function isSelected(selector: Selector, samples: readonly Sample[], added: readonly string[]): boolean {
  const candidates = samples.filter(({ name }) => name === selector.name);
  return alternatives(selector.matchers.filter(({ label }) => !added.includes(label))).every((matchers) =>
    candidates.some(({ labels }) => matchers.every((matcher) => matches(matcher, labels[matcher.label] ?? ''))),
  );
}

const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\d[\w.]*|[a-zA-Z_:][\w:]*|[!=]~|!=|\S/g;
const LABEL_LISTS: ReadonlySet<string> = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const WORDS: ReadonlySet<string> = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);

/** A name that is neither called nor part of the syntax. `sum by (…) (…)` has its parentheses later. */
const isMetric = (token: string, next: string | undefined): boolean =>
  /^[a-zA-Z_:]/.test(token) && next !== '(' && next !== 'by' && next !== 'without' && !WORDS.has(token);

function matchersOf(tokens: readonly string[]): Matcher[] {
  return tokens.flatMap((operator, at) => {
    if (operator !== '=' && operator !== '!=' && operator !== '=~' && operator !== '!~') return [];
    return [{ label: tokens[at - 1] ?? '', operator, value: (tokens[at + 1] ?? '').slice(1, -1) }];
  });
}

function alternatives(matchers: readonly Matcher[]): Matcher[][] {
  return matchers.reduce<Matcher[][]>(
    (sets, matcher) => {
      const values = matcher.operator === '=~' && /^[\w|]+$/.test(matcher.value) ? matcher.value.split('|') : undefined;
      const each = values?.map((value): Matcher => ({ ...matcher, operator: '=', value })) ?? [matcher];
      return sets.flatMap((set) => each.map((one) => [...set, one]));
    },
    [[]],
  );
}

function matches({ operator, value }: Matcher, actual: string): boolean {
  switch (operator) {
    case '=':
      return actual === value;
    case '!=':
      return actual !== value;
    case '=~':
      return new RegExp(`^(?:${value})$`).test(actual);
    case '!~':
      return !new RegExp(`^(?:${value})$`).test(actual);
  }
}
