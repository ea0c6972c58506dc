/**
 * Keeping secrets out of what people read: `Secret` cannot be printed by accident, and a
 * `Redactor` takes every known secret out of text and errors that other packages made.
 */

const HIDDEN = '(hidden)';

/**
 * A text that only `reveal` gives away: JSON, inspection and string conversion all show
 * `(hidden)`.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [Symbol.toPrimitive](): string {
    return HIDDEN;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return HIDDEN;
  }
}

/**
 * Shorter secrets are only hidden where a pattern finds them; replacing every `abc` would
 * shred the text.
 */
const MIN_REPLACED_LENGTH = 4;

/**
 * Parts of a webhook's path or query that are this long are taken for secrets themselves.
 */
const MIN_OPAQUE_LENGTH = 12;

const SECRET_PARAMETER = /pass|pwd|secret|token|key|sig|auth|credential/i;

/** What gives away secrets whatever their value; the part to keep is the first group. */
const PATTERNS: readonly RegExp[] = [
  /(\bsig=)[^&\s;"'<>`]+/gi,
  /(\bsig%3D)(?:[^&\s;"'<>`%]|%(?!26))+/gi,
  /(\b(?:AccountKey|SharedAccessKey|SharedAccessSignature)\s*=\s*)[^;\s"'<>`]+/gi,
  // A quoted password may double its quotes, and a message that was cut off may not close
  // them.
  /(\b(?:sslpassword|password|passwd|pwd)\s*=\s*)(?:(?:'(?:[^'\\]|\\[\s\S]?|'')*(?:'|$)|"(?:[^"\\]|\\[\s\S]?|"")*(?:"|$))[^\s&;"'<>`]*|[^\s&;"'<>`]+)/gi,
  /("(?:password|sasToken|accountKey|connectionString|webhook)"\s*:\s*)"(?:[^"\\]|\\[\s\S]?)*(?:"|$)/gi,
  /(\bauthorization["']?\s*[:=]\s*["']?(?:Bearer|Basic|SharedKey(?:Lite)?)\s+)[^\s"',}]+/gi,
];

/** Greedy up to the last `@`, since an unencoded password may hold `@`, `/` and `#`. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/?#"'<>]*):[^\s"'<>]*@/gi;

/** In each text that a pattern matches. */
const PATTERN_MARK = /[=%"]|:\/\/|authorization/i;
/** The same for JSON, where quotes are everywhere. */
const JSON_PATTERN_MARK = /[=%]|:\/\/|authorization|password|sasToken|accountKey|connectionString|webhook/i;

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** Lone surrogates cannot be URL-encoded. */
function wellFormed(value: string): string {
  return value.replace(/\p{Surrogate}/gu, '\ufffd');
}

function encodedStrictly(value: string): string {
  return encodeURIComponent(wellFormed(value)).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The pieces of a secret that are secrets too, wherever they turn up alone. */
function partsOf(secret: string): string[] {
  const parts = [secret, ...secret.split(/\r?\n/).filter(line => line.length >= MIN_OPAQUE_LENGTH)];
  const login = /^[a-z][a-z0-9+.-]*:\/\/[^:@/?#]*:(.*)@/is.exec(secret);
  if (login?.[1] !== undefined) parts.push(login[1]);

  for (const [, name = '', value = ''] of secret.matchAll(/(?:^|[?&;])([A-Za-z][\w.-]*)=([^&;#]*)/g)) {
    if (SECRET_PARAMETER.test(name)) parts.push(value);
  }
  // A connection string ends values at `;`, and its SharedAccessSignature holds `&` and
  // `=` itself.
  for (const [, value = ''] of secret.matchAll(
    /(?:^|;)\s*(?:AccountKey|SharedAccessSignature)\s*=\s*([^;]+)/gi,
  )) {
    parts.push(value.trim());
  }
  if (secret.startsWith('?')) parts.push(secret.slice(1));

  const web = /^https?:\/\/[^/?#]+([^#]*)/i.exec(secret);
  if (web?.[1] !== undefined) {
    const opaque = [web[1], ...web[1].split(/[/?&=]/)];
    parts.push(...opaque.filter(part => part.length >= MIN_OPAQUE_LENGTH));
  }
  return parts;
}

/** How a value may be written in a URL, a header or a quoted text. */
function spellingsOf(value: string): string[] {
  const plain = [value, decoded(value), decoded(value.replaceAll('+', ' '))];
  const encoded = plain.flatMap(text => {
    const component = encodeURIComponent(wellFormed(text));
    return [
      component,
      encodeURIComponent(component),
      encodedStrictly(text),
      component.replaceAll('%20', '+'),
    ];
  });
  const lowerHex = encoded.map(text => text.replace(/%[0-9A-F]{2}/g, hex => hex.toLowerCase()));
  const bytes = Buffer.from(value, 'utf8');
  return [
    ...plain,
    ...encoded,
    ...lowerHex,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    JSON.stringify(value).slice(1, -1),
    value.replaceAll('\\', '\\\\').replaceAll("'", "\\'"),
  ];
}

const MAX_DEPTH = 8;

/**
 * Takes secrets out of text, values and errors.
 *
 * It knows the secrets it was given, the parts of them that are secret (a URL's password,
 * a SAS token's signature, an account key) and how each may be spelt (URL-encoded or
 * decoded, base64, escaped); and it knows patterns such as `sig=…` and
 * `://user:password@`, which work without any knowledge. Cleaning twice changes nothing
 * more.
 */
export class Redactor {
  readonly #values = new Set<string>();
  #known: RegExp | undefined;
  /** Length of the shortest value, where `#known` is there. */
  #shortest = 0;

  constructor(secrets: Iterable<Secret | string> = []) {
    for (const secret of secrets) this.add(secret);
  }

  add(secret: Secret | string): void {
    const text = typeof secret === 'string' ? secret : secret.reveal();
    for (const part of partsOf(text)) {
      if (part.length < MIN_REPLACED_LENGTH) continue;
      for (const spelling of spellingsOf(part)) {
        if (spelling.length >= MIN_REPLACED_LENGTH) this.#values.add(spelling);
      }
    }
    this.#known = undefined;
  }

  /** Takes over what the other one knows. */
  addAll(other: Redactor): void {
    for (const value of other.#values) this.#values.add(value);
    this.#known = undefined;
  }

  /** The text without secrets. */
  clean(text: string): string {
    let result = text;
    if (this.#values.size > 0) {
      const known = this.#knownValues();
      if (text.length >= this.#shortest) result = result.replace(known, HIDDEN);
    }
    // Most texts are names, states and instants, which no pattern can match.
    if (!PATTERN_MARK.test(result)) return result;
    result = result.replace(URL_PASSWORD, `$1:${HIDDEN}@`);
    for (const pattern of PATTERNS) result = result.replace(pattern, `$1${HIDDEN}`);
    return result;
  }

  /**
   * A copy of an error with the same class and code, whose message, stack, causes and
   * further properties hold no secret. Other values are copied likewise: objects as plain
   * objects, bytes and functions left out.
   */
  cleanError(error: unknown): unknown {
    return this.#cleanValue(error, new Map(), 0);
  }

  /** A copy of any value, such as the fields of a log line, without secrets. */
  cleanValue(value: unknown): unknown {
    if (typeof value === 'string') return this.clean(value);
    return this.#cleanValue(value, new Map(), 0);
  }

  /** JSON of a value that JSON can hold, without secrets. */
  toJson(value: unknown): string {
    const json = JSON.stringify(value);
    // Where nothing is escaped, each text stands in the JSON as it is: nothing found in
    // the whole is nothing in any of them.
    const isClean =
      !json.includes('\\') &&
      !JSON_PATTERN_MARK.test(json) &&
      (this.#values.size === 0 || json.search(this.#knownValues()) < 0);
    return isClean ? json : JSON.stringify(this.cleanValue(value));
  }

  #knownValues(): RegExp {
    if (this.#known === undefined) {
      const longestFirst = [...this.#values].sort((a, b) => b.length - a.length);
      this.#shortest = longestFirst.at(-1)?.length ?? 0;
      this.#known = new RegExp(
        longestFirst.map(value => value.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'),
        'g',
      );
    }
    return this.#known;
  }

  #cleanValue(value: unknown, seen: Map<object, unknown>, depth: number): unknown {
    if (typeof value === 'string') return this.clean(value);
    if (typeof value === 'function' || typeof value === 'symbol') return undefined;
    if (typeof value !== 'object' || value === null) return value;

    const known = seen.get(value);
    if (known !== undefined) return known;
    if (value instanceof Secret) return HIDDEN;
    if (value instanceof Date) return value;
    if (value instanceof URL) return this.clean(value.href);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `(${value.byteLength} bytes)`;
    if (depth >= MAX_DEPTH) return '(omitted)';

    if (Array.isArray(value) || value instanceof Set) {
      const copy: unknown[] = [];
      seen.set(value, copy);
      for (const item of value) copy.push(this.#cleanValue(item, seen, depth + 1));
      return copy;
    }
    if (value instanceof Map) {
      const copy: unknown[] = [];
      seen.set(value, copy);
      for (const entry of value) copy.push(this.#cleanValue(entry, seen, depth + 1));
      return copy;
    }
    const copy = value instanceof Error ? errorLike(value) : {};
    seen.set(value, copy);
    this.#copyProperties(value, copy, seen, depth);
    return copy;
  }

  #copyProperties(from: object, to: object, seen: Map<object, unknown>, depth: number): void {
    for (const key of Object.getOwnPropertyNames(from)) {
      const property = Object.getOwnPropertyDescriptor(from, key);
      // Getters may do anything; `stack` is the one that some engines define so.
      if (property === undefined || (!('value' in property) && key !== 'stack')) continue;
      const value = 'value' in property ? property.value : (from as Error).stack;
      const cleaned = this.#cleanValue(value, seen, depth + 1);
      if (cleaned === undefined && value !== undefined) continue;
      Object.defineProperty(to, this.clean(key), {
        value: cleaned,
        enumerable: property.enumerable ?? false,
        writable: true,
        configurable: true,
      });
    }
  }
}

/** A native error of the same class, without running its constructor. */
function errorLike(error: Error): Error {
  const copy = new Error();
  Object.setPrototypeOf(copy, Object.getPrototypeOf(error));
  Object.defineProperty(copy, 'stack', { value: undefined, writable: true, configurable: true });
  return copy;
}
