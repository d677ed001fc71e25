/** JSON and YAML that a terminal can show whatever is in their texts, and that mean the same as without the escapes. */
import { dump, SCALAR_STYLE, visit } from 'js-yaml';

/** One line, or indented where `pretty`, with a line feed at its end. */
export const safeJson = (value: unknown, pretty: boolean): string =>
  `${escapeJson(JSON.stringify(value, null, pretty ? 2 : 0))}\n`;

/** js-yaml leaves format characters as they are, and only a text in double quotes can have escapes. */
export function safeYaml(value: unknown): string {
  const yaml = dump(value, {
    lineWidth: -1,
    noRefs: true,
    transform: (documents) =>
      visit(documents, (node) => {
        if (node.kind !== 'scalar') return;
        if (UNPRINTABLE.test(node.value)) node.style = SCALAR_STYLE.DOUBLE_QUOTED;
        else if (GO_INTEGER.test(node.value)) node.style = SCALAR_STYLE.SINGLE_QUOTED;
      }),
  });
  return yaml.replace(UNESCAPED, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code > 0xff_ff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
  });
}

/** What a terminal would obey: control and format characters, bidi controls among them, and separators of lines. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
/** Escaped within its text, each means the same. The other controls are escaped already, and line feeds divide the lines. */
const UNESCAPED = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu;

/** Integers for kubectl, which reads YAML with Go's strconv, and texts for js-yaml. */
const GO_INTEGER = /^0(B[01]+|O[0-7]+|X[0-9A-Fa-f]+)$/;

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

/** JSON knows units of UTF-16 only. */
const escapeJson = (json: string): string =>
  json.replace(UNESCAPED, (character) =>
    character
      .split('')
      .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
      .join(''),
  );
