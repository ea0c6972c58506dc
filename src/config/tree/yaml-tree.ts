/** YAML (and so JSON) text as a located tree, its references as they were written. */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, Scalar } from 'yaml';
import type { ConfigProblem, KeyPath, LocatedMap, LocatedNode, Place } from './located-tree.ts';
import { keyText, showPlace } from './located-tree.ts';

/** More nodes than any configuration has; a bomb of aliases reaches it quickly. */
const MAX_NODES = 200_000;
const MAX_DEPTH = 64;

/**
 * The parser's own messages quote the text, which may be a secret; these do not. Codes
 * that are not listed are answered by a general message.
 */
const SYNTAX_MESSAGES: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'is not valid YAML: an alias (*name) has no anchor (&name); quote a text that starts with *',
  BAD_DQ_ESCAPE: 'is not valid YAML: an unknown escape in a double-quoted text; use single quotes or \\\\',
  BAD_INDENT: 'is not valid YAML: the indentation is wrong here',
  BAD_SCALAR_START: 'is not valid YAML: quote a text that starts with one of @ ` % | > ,',
  BLOCK_AS_IMPLICIT_KEY:
    'is not valid YAML: a key and its value cannot hold another key on the same line; quote a text that holds ": "',
  BLOCK_IN_FLOW:
    'is not valid YAML: a key and its value cannot hold another key on the same line; quote a text that holds ": "',
  MISSING_CHAR: 'is not valid YAML: a closing quote, bracket, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'is not valid YAML: a key must be on one line; a colon may be missing',
  MULTIPLE_DOCS: 'holds several YAML documents; use one, or a folder of files',
  TAB_AS_INDENT: 'is not valid YAML: indent with spaces, not with tabs',
  TAG_RESOLVE_FAILED: 'has a YAML tag (!name) that is not known; quote a text that starts with !',
};

/**
 * What a text is taken for by its first character. It goes on behind that, where the
 * parser stops.
 */
const UNQUOTED_STARTS: Readonly<Record<string, string>> = {
  '{': 'quote a text that starts with {, such as "{YYYY}/{MM}/customers"',
  '[': 'quote a text that starts with [',
  '*': 'quote a text that starts with *',
  '|': 'quote a text that starts with |',
  '>': 'quote a text that starts with >',
  '"': 'text goes on behind its closing quote; a double quote within double quotes is \\"',
  "'": "text goes on behind its closing quote; a single quote within single quotes is ''",
};

/**
 * Why the parser did not expect what stands at `offset`, as far as the beginning of the
 * value before it tells.
 */
function unexpectedToken(text: string, offset: number): string {
  const before = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  const starts = [...before.matchAll(/(?:^|[:\-,[{])\s+([{[*|>"'])|(?<=[{[,])([{[*"'])/g)];
  const last = starts.at(-1);
  const reason = last && UNQUOTED_STARTS[last[1] ?? last[2] ?? ''];
  return `is not valid YAML: ${reason ?? 'something here is not expected'}`;
}

/**
 * Private-use characters that stand for the braces of references while the text is
 * parsed.
 */
const OPEN_BRACE = '\uf5f0';
const CLOSE_BRACE = '\uf5f1';

/** Without quotes in it: within quotes braces need no help. */
const BARE_REFERENCE = /\$\{([A-Za-z_]\w*(?::-[^{}\r\n"']*)?|file:[^{}\r\n"']+)\}/g;

/**
 * `${NAME}` within `{ }` or `[ ]` is not valid YAML, since its braces would end the text;
 * for the parser they are other characters, one for one, so that every place stays the
 * same.
 */
function withoutReferenceBraces(text: string): string {
  if (text.includes(OPEN_BRACE) || text.includes(CLOSE_BRACE)) return text;
  return text.replace(BARE_REFERENCE, `$$${OPEN_BRACE}$1${CLOSE_BRACE}`);
}

function withReferenceBraces(text: string): string {
  return text.replaceAll(OPEN_BRACE, '{').replaceAll(CLOSE_BRACE, '}');
}

/** One problem a line: what follows on it is mostly an echo of the first. */
function firstOfEachLine(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return problems.filter(
    (problem, index) => problems.findIndex(other => other.line === problem.line) === index,
  );
}

export interface ParsedFile {
  /** Undefined when the file is not valid YAML or no map. */
  readonly root: LocatedMap | undefined;
  readonly problems: readonly ConfigProblem[];
}

function emptyScalar(place: Place): LocatedNode {
  return { kind: 'scalar', place, value: null, referenced: false };
}

class TreeBuilder {
  readonly problems: ConfigProblem[] = [];
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node>();
  #nodes = 0;
  #overflowed = false;

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  placeAt(offset: number | undefined): Place {
    const { line, col } = this.#lines.linePos(offset ?? 0);
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  report(place: Place, path: KeyPath, message: string): void {
    this.problems.push({ ...place, key: keyText(path), message });
  }

  build(node: Node | null, path: KeyPath, keyPlace?: Place): LocatedNode {
    const place = keyPlace ?? this.placeAt(node?.range?.[0]);
    this.#nodes++;
    if (this.#overflowed) return emptyScalar(place);
    if (this.#nodes > MAX_NODES || path.length > MAX_DEPTH) {
      this.#overflowed = true;
      this.report(place, path.slice(0, 3), 'is nested too deep or repeats too much');
      return emptyScalar(place);
    }
    // Anchors are kept in the order of the text, as the aliases see them.
    if (node !== null && 'anchor' in node && typeof node.anchor === 'string')
      this.#anchors.set(node.anchor, node);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined) this.report(place, path, SYNTAX_MESSAGES.BAD_ALIAS as string);
      return target === undefined ? emptyScalar(place) : this.build(target, path, place);
    }
    if (isMap(node)) return this.#buildMap(node.items, path, place);
    if (isSeq(node)) {
      const items = node.items.map((item, index) => this.build(item as Node | null, [...path, index]));
      return { kind: 'list', place, items };
    }
    const scalar = isScalar(node) ? node : new Scalar(null);
    const isBlock = scalar.type === Scalar.BLOCK_LITERAL || scalar.type === Scalar.BLOCK_FOLDED;
    if (isBlock && scalar.value === '')
      this.report(place, path, 'is a block of text with nothing in it; quote a text that starts with | or >');
    return buildScalar(scalar, place);
  }

  #buildMap(pairs: readonly { key: unknown; value: unknown }[], path: KeyPath, place: Place): LocatedMap {
    const entries = new Map<string, LocatedNode>();
    for (const pair of pairs) {
      const keyNode = pair.key as Node | null;
      const keyPlace = this.placeAt(keyNode?.range?.[0] ?? undefined);
      const key = isScalar(keyNode)
        ? withReferenceBraces(String(keyNode.source ?? keyNode.value))
        : undefined;
      if (key === undefined || key === '__proto__') {
        this.report(keyPlace, path, 'has a key that is not plain text');
        continue;
      }
      const known = entries.get(key);
      const value = this.build(pair.value as Node | null, [...path, key], keyPlace);
      if (known === undefined) entries.set(key, value);
      else {
        const places = `${showPlace(known.place)} and ${showPlace(keyPlace)}`;
        this.report(keyPlace, [...path, key], `is defined twice, in ${places}; keep one`);
      }
    }
    return { kind: 'map', place, entries };
  }
}

function buildScalar({ value }: Scalar, place: Place): LocatedNode {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) {
    return { kind: 'scalar', place, value: value ?? null, referenced: false };
  }
  return { kind: 'scalar', place, value: withReferenceBraces(String(value)), referenced: false };
}

/**
 * Reads one file's text; `file` is its name as it is shown in problems. Problems are
 * returned, never thrown.
 */
export function parseYaml(text: string, file: string): ParsedFile {
  const lines = new LineCounter();
  const document = parseDocument(withoutReferenceBraces(text), {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
    uniqueKeys: false,
    version: '1.2',
    schema: 'core',
    customTags: [],
  });
  const builder = new TreeBuilder(file, lines);
  for (const fault of [...document.errors, ...document.warnings]) {
    const [offset] = fault.pos;
    const message =
      fault.code === 'UNEXPECTED_TOKEN' ? unexpectedToken(text, offset) : SYNTAX_MESSAGES[fault.code];
    builder.report(builder.placeAt(offset), [], message ?? 'is not valid YAML');
  }
  if (builder.problems.length > 0) {
    return { root: undefined, problems: firstOfEachLine(builder.problems) };
  }

  const root = builder.build(document.contents, []);
  const { problems } = builder;
  if (root.kind === 'map') return { root, problems };
  builder.report(
    builder.placeAt(0),
    [],
    'is not a map of keys; expected version, sources, destinations and so on',
  );
  return { root: undefined, problems };
}
