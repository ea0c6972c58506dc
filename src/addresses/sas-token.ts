import { AddressFault } from './address-fault.ts';

/**
 * A SAS token as people paste it, taken apart and written again in one form. What was
 * certainly meant is restored: an encoding that was undone or done twice, quotes around
 * it, `&amp;`, line breaks. The signature tells: it is the base64 of 32 bytes.
 */
export interface SasToken {
  /** In canonical form: no leading `?`, every value encoded once. */
  readonly query: string;
  readonly parameters: ReadonlyMap<string, string>;
  /**
   * What it was given with: the URL of a container, a blob or an account, without the
   * token.
   */
  readonly url: URL | undefined;
}

const KEY = 'auth.sasToken';
const SIGNATURE = /^[A-Za-z0-9+/]{43}=$/;
/** How texts that passed through HTML, JSON or a shell write the `&`. */
const AMPERSANDS = /&(?:amp|#38|#x26);|\\u0026|\\&|\^&/gi;
const QUOTES = /^(?:"(.*)"|'(.*)'|`(.*)`|“(.*)”|‘(.*)’|&quot;(.*)&quot;)$/s;
/**
 * Parameters whose values never hold a `%`: one that is left after decoding was encoded
 * twice.
 */
const NEVER_PERCENT = new Set(
  'sv ss srt sp st se sip spr sr sig skoid sktid skt ske sks skv saoid suoid scid sdd ses'.split(' '),
);
const TIMES = new Set(['st', 'se', 'skt', 'ske']);

/** Fails with an `AddressFault`, which quotes nothing of the token. */
export function parseSasToken(text: string): SasToken {
  const bare = withoutWrapping(text);
  const { url, query } = split(bare);
  const parameters = new Map<string, string>();
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    if (equals < 1) {
      if (pair === '') continue;
      throw fault('holds a part that is not name=value; copy the whole token again, and quote it in shells');
    }
    const name = pair.slice(0, equals).trim();
    if (parameters.has(name)) throw fault(`holds the parameter ${shownName(name)} twice; copy it again`);
    parameters.set(name, parameterValue(name, pair.slice(equals + 1)));
  }
  if (!parameters.get('sig') || !parameters.get('sv')) {
    const lacking = parameters.get('sig') ? 'sv' : parameters.get('sv') ? 'sig' : 'sig and sv';
    const cut = parameters.size > 0 ? '; in a shell, an & outside of quotes cuts it off' : '';
    throw fault(`is not a SAS token, for it has no ${lacking}${cut}`);
  }
  for (const name of TIMES) {
    const time = parameters.get(name);
    if (time && Number.isNaN(Date.parse(time))) throw fault(`has a time (${name}) that is not a time`);
  }
  const written = [...parameters].map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return { query: written.join('&'), parameters, url };
}

/** Without quotes, entities, line breaks, and an encoding of the whole. */
function withoutWrapping(text: string): string {
  let bare = text.replace(/^\uFEFF/, '').trim();
  for (let match = QUOTES.exec(bare); match; match = QUOTES.exec(bare)) {
    bare = (match.slice(1).find(inner => inner !== undefined) ?? '').trim();
  }
  bare = bare
    .replace(AMPERSANDS, '&')
    .replace(/\\u003[dD]/g, '=')
    .replace(/[\r\n\t]+\s*/g, '');
  if (/["'`“”‘’]/.test(bare)) throw fault('holds a quote, which belongs to no token; leave the quotes out');
  if (!/[?&]?\w+=/.test(bare) && /%3D/i.test(bare)) bare = decoded(bare);
  return bare;
}

function split(bare: string): { url: URL | undefined; query: string } {
  const mark = bare.lastIndexOf('?');
  const query = bare.slice(mark + 1);
  const before = mark > 0 ? bare.slice(0, mark) : '';
  if (!/^https?:\/\//i.test(before)) return { url: undefined, query };
  return { url: URL.canParse(before) ? new URL(before) : undefined, query };
}

function parameterValue(name: string, text: string): string {
  // A `+` is one that was decoded, since an encoder never writes it for a space in a
  // token.
  let value = decoded(text);
  if (NEVER_PERCENT.has(name)) {
    for (let round = 0; round < 3 && /%[0-9a-f]{2}/i.test(value); round++) value = decoded(value);
    if (value.includes('%')) {
      throw fault(
        `holds a ${shownName(name)} that is wrongly percent-encoded; copy the token as it was issued`,
      );
    }
  }
  if (name === 'sig') return signatureOf(value);
  return TIMES.has(name) ? value.replace(/ (?=\d\d:\d\d$)/, '+') : value;
}

function signatureOf(value: string): string {
  const restored = value.trim().replaceAll(' ', '+');
  if (SIGNATURE.test(restored)) return restored;
  if (SIGNATURE.test(`${restored}=`)) return `${restored}=`;
  return restored;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw fault('is wrongly percent-encoded; copy the token as it was issued');
  }
}

/**
 * Only names that are known: what stands before an `=` may be a piece of the signature.
 */
function shownName(name: string): string {
  return NEVER_PERCENT.has(name) ? name : '(hidden)';
}

function fault(message: string): AddressFault {
  return new AddressFault(KEY, message);
}
