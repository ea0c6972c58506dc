/**
 * Expressions as the server writes them in a plan, as far as it can be proven of them
 * that they look at nothing but the row: there everything is in parentheses, and every
 * constant says its type.
 */
export type Expression =
  | { readonly kind: 'column'; readonly name: string }
  | { readonly kind: 'constant'; readonly type: string }
  | { readonly kind: 'logic'; readonly operands: readonly Expression[] }
  | { readonly kind: 'test'; readonly operand: Expression }
  | { readonly kind: 'operator'; readonly name: string; readonly operands: readonly Expression[] }
  /** Compares the first with each element of the second, an array. */
  | { readonly kind: 'any'; readonly name: string; readonly operands: readonly [Expression, Expression] }
  | { readonly kind: 'call'; readonly name: string; readonly operands: readonly Expression[] }
  | { readonly kind: 'cast'; readonly type: string; readonly operand: Expression };

const SPACE = /\s*/y;
const STRING = /E?'(?:[^'\\]|\\.|'')*'/y;
const NUMBER = /\d+(?:\.\d+)?(?![\w.])/y;
const NAME = /"(?:[^"]|"")+"|[a-z_\u0080-\uffff][a-z0-9_$\u0080-\uffff]*/y;
const OPERATOR = /[-+*/<>=~!@#%^&|`?]+/y;
const KEYWORD = /[A-Z]+(?: [A-Z]+)*/y;
const TYPE =
  /(?:(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)\.)?(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)(?: varying| precision)?(?:\(\d+(?:,-?\d+)?\))?(?: with(?:out)? time zone)?(?:\[\])*/y;

/** Whatever is not known here cannot be proven of. */
class Unproven extends Error {}

/** `undefined` where the text is more than can be understood here. */
export function parseExpression(text: string, alias: string): Expression | undefined {
  try {
    return new Parser(text, alias).parse();
  } catch (error) {
    if (error instanceof Unproven) return undefined;
    throw error;
  }
}

class Parser {
  readonly #text: string;
  readonly #alias: string;
  #at = 0;

  constructor(text: string, alias: string) {
    this.#text = text;
    this.#alias = alias;
  }

  parse(): Expression {
    const expression = this.#operand();
    this.#take(SPACE);
    if (this.#at < this.#text.length) throw new Unproven();
    return expression;
  }

  /** A value, and the types that it is cast to. */
  #operand(): Expression {
    let operand = this.#value();
    while (this.#takes('::')) {
      const type = this.#take(TYPE) ?? '';
      if (type === '') throw new Unproven();
      operand =
        operand.kind === 'constant' && operand.type === ''
          ? { kind: 'constant', type }
          : { kind: 'cast', type, operand };
    }
    if (operand.kind === 'constant' && operand.type === '') throw new Unproven();
    return operand;
  }

  #value(): Expression {
    this.#take(SPACE);
    if (this.#takes('(')) {
      const inner = this.#inner();
      this.#require(')');
      return inner;
    }
    if (this.#take(STRING) !== undefined) return { kind: 'constant', type: '' };
    const number = this.#take(NUMBER);
    if (number !== undefined) return { kind: 'constant', type: number.includes('.') ? 'numeric' : 'integer' };
    const keyword = this.#take(KEYWORD);
    if (keyword === 'NULL') return { kind: 'constant', type: '' };
    if (keyword !== undefined) throw new Unproven();
    return this.#named();
  }

  /** A column of the table, a function of the server's, or a truth value. */
  #named(): Expression {
    const name = this.#take(NAME);
    if (name === undefined) throw new Unproven();
    if (this.#takes('.')) {
      const column = this.#take(NAME);
      if (column === undefined || unquoted(name) !== this.#alias) throw new Unproven();
      if (this.#text[this.#at] === '(') throw new Unproven();
      return { kind: 'column', name: unquoted(column) };
    }
    if (!this.#takes('(')) {
      if (name === 'true' || name === 'false') return { kind: 'constant', type: 'boolean' };
      throw new Unproven();
    }
    const operands: Expression[] = [];
    while (!this.#takes(')')) {
      if (operands.length > 0) this.#require(',');
      operands.push(this.#operand());
      this.#take(SPACE);
    }
    return { kind: 'call', name: unquoted(name), operands };
  }

  /** What stands in parentheses. */
  #inner(): Expression {
    this.#take(SPACE);
    if (this.#takes('NOT ')) return { kind: 'logic', operands: [this.#operand()] };
    const first = this.#operand();
    this.#take(SPACE);
    const name = this.#take(OPERATOR);
    if (name !== undefined) return this.#operation(name, first);
    const keyword = this.#take(KEYWORD);
    if (keyword === undefined) return first;
    if (/^IS (?:NOT )?(?:NULL|TRUE|FALSE|UNKNOWN)$/.test(keyword)) return { kind: 'test', operand: first };
    if (keyword !== 'AND' && keyword !== 'OR') throw new Unproven();
    const operands = [first, this.#operand()];
    this.#take(SPACE);
    while (this.#takes(`${keyword} `)) {
      operands.push(this.#operand());
      this.#take(SPACE);
    }
    return { kind: 'logic', operands };
  }

  #operation(name: string, first: Expression): Expression {
    this.#take(SPACE);
    if (!this.#takes('ANY ') && !this.#takes('ALL '))
      return { kind: 'operator', name, operands: [first, this.#operand()] };
    this.#require('(');
    const array = this.#operand();
    this.#require(')');
    return { kind: 'any', name, operands: [first, array] };
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #takes(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #require(text: string): void {
    this.#take(SPACE);
    if (!this.#takes(text)) throw new Unproven();
  }
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
