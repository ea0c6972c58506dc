/** The first place where a text is not one JSON object. */
export interface JsonFault {
  /** Place in the text, in characters from 0. */
  readonly at: number;
  readonly message: string;
  /** Nothing is wrong but that the text ends. */
  readonly atEnd: boolean;
}

const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const LITERAL = /true|false|null/y;
const PLAIN = /[ !#-[\]-\uffff]+/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

/**
 * Finds what the parser refused without saying where: the grammar of RFC 8259 once more,
 * for messages only. Undefined where the text is one object.
 */
export function findFault(text: string): JsonFault | undefined {
  let at = 0;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };
  const fault = (wanted: string): JsonFault => {
    const seen = text.codePointAt(at);
    if (seen === undefined) return { at, message: `expected ${wanted}`, atEnd: true };
    const message = `expected ${wanted}, saw ${JSON.stringify(String.fromCodePoint(seen))}`;
    return { at, message, atEnd: false };
  };
  const string = (wanted: string): JsonFault | undefined => {
    if (text[at] !== '"') return fault(wanted);
    at++;
    while (skip(PLAIN) || skip(ESCAPE));
    if (text[at] !== '"')
      return fault(text[at] === '\\' ? 'an escape of JSON' : 'a character of a string or its "');
    at++;
    return undefined;
  };

  const closers: ('}' | ']')[] = [];
  let next: 'object' | 'value' | 'value or ]' | 'key' | 'key or }' | 'after' = 'object';
  for (;;) {
    skip(WHITESPACE);
    const character = text[at];
    const closer = closers.at(-1);
    if (next === 'after') {
      if (closer === undefined) return at === text.length ? undefined : fault('nothing after the object');
      if (character === ',') {
        at++;
        next = closer === '}' ? 'key' : 'value';
      } else if (character === closer) {
        at++;
        closers.pop();
      } else {
        return fault(`a comma or ${closer}`);
      }
    } else if ((next === 'value or ]' && character === ']') || (next === 'key or }' && character === '}')) {
      at++;
      closers.pop();
      next = 'after';
    } else if (next === 'key' || next === 'key or }') {
      const wrong = string('a key in quotes');
      if (wrong !== undefined) return wrong;
      skip(WHITESPACE);
      if (text[at] !== ':') return fault('a colon');
      at++;
      next = 'value';
    } else if (character === '{') {
      at++;
      closers.push('}');
      next = 'key or }';
    } else if (next === 'object') {
      return fault('an object');
    } else if (character === '[') {
      at++;
      closers.push(']');
      next = 'value or ]';
    } else {
      const wrong =
        character === '"' ? string('a string') : skip(NUMBER) || skip(LITERAL) ? undefined : fault('a value');
      if (wrong !== undefined) return wrong;
      next = 'after';
    }
  }
}
