/**
 * The syntax of a connection URL of PostgreSQL, as libpq reads it (its manual,
 * "Connection URIs").
 */

export type PostgresUrl =
  | { readonly parameters: ReadonlyMap<string, string> }
  /** What is wrong with it, without any part of it. */
  | { readonly fault: string };

export const POSTGRES_SCHEME = /^postgres(?:ql)?:\/\//;

const KEYS_INSTEAD = 'or write the keys host, port, database, user and password instead of url';
const UNENCODED = `holds an @ behind the first /; where the user name or the password holds a special character, percent-encode it (/ is %2F, @ is %40, : is %3A, % is %25), ${KEYS_INSTEAD}`;

class Fault extends Error {}

/**
 * Its parts by the names of libpq's parameters; `host`, `port` and `hostaddr` may be
 * lists.
 */
export function parsePostgresUrl(url: string): PostgresUrl {
  try {
    return { parameters: partsOf(url) };
  } catch (error) {
    if (error instanceof Fault) return { fault: error.message };
    throw error;
  }
}

function partsOf(url: string): Map<string, string> {
  if (!POSTGRES_SCHEME.test(url)) {
    throw new Fault('is (hidden); expected a URL that starts with postgres:// or postgresql://');
  }
  if (/\s/.test(url))
    throw new Fault(`holds white space; percent-encode it (a space is %20), ${KEYS_INSTEAD}`);
  const text = url.replace(POSTGRES_SCHEME, '');
  const authority = /^[^/]*/.exec(text)![0];
  const at = authority.lastIndexOf('@');
  const [, hosts = '', path = '', query] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(text.slice(at + 1))!;
  // A password with a slash ends the authority: what is before the slash would be taken
  // for host and port.
  if (path.includes('@')) throw new Fault(UNENCODED);

  const parameters = new Map<string, string>();
  if (at >= 0) {
    const [, user = '', password] = /^([^:]*)(?::(.*))?$/s.exec(authority.slice(0, at))!;
    if (user !== '') parameters.set('user', decoded(user, 'the user name'));
    if (password) parameters.set('password', decoded(password, 'the password'));
  }
  readHosts(hosts, parameters);
  if (path !== '') parameters.set('dbname', decoded(path, 'the name of the database'));
  for (const pair of query ? query.split('&') : []) {
    const [, name = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(pair)!;
    if (at < 0 && pair.includes('@') && !/^(?:user|password)=/.test(pair)) throw new Fault(UNENCODED);
    if (value === undefined || !/^\w+$/.test(name))
      throw new Fault('has a part behind ? that is not name=value; separate parameters by &');
    parameters.set(name, decoded(value, `the parameter ${name}`));
  }
  return parameters;
}

/** `host`, `host:port`, `[::1]:port`, or several of them with commas between. */
function readHosts(text: string, parameters: Map<string, string>): void {
  if (text === '') return;
  const hosts = text.split(',').map(part => {
    const [, host, port = ''] = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d*))?$/.exec(part) ?? [];
    if (host === undefined) {
      throw new Fault(
        `has a host or port that cannot be understood (host:port, [IPv6]:port, several with commas); where the user name or the password holds a special character, percent-encode it, ${KEYS_INSTEAD}`,
      );
    }
    return { host: decoded(host.replace(/^\[(.*)\]$/, '$1'), 'the host'), port };
  });
  parameters.set('host', hosts.map(({ host }) => host).join(','));
  if (hosts.some(({ port }) => port !== '')) parameters.set('port', hosts.map(({ port }) => port).join(','));
}

function decoded(text: string, what: string): string {
  try {
    const plain = decodeURIComponent(text);
    if (!plain.includes('\0')) return plain;
  } catch {
    // Said below.
  }
  throw new Fault(
    `has a % in ${what} that begins no percent-encoded character; write %25 for a % itself, ${KEYS_INSTEAD}`,
  );
}

/**
 * The places in a URL, as it is written in the file, of references that are all of the
 * user name or all of the password: what they stand for is a value there and must not
 * become structure.
 */
export function valuePlaces(written: string): ReadonlySet<number> {
  const reference = String.raw`\$\{[^}]*\}`;
  const login = new RegExp(`^(postgres(?:ql)?://)(${reference}|[^:/@$]*)(:)(${reference}|[^:/@$]*)@`).exec(
    written,
  );
  if (login === null) return new Set();
  const [, scheme = '', user = '', colon = '', password = ''] = login;
  const places = [
    { place: scheme.length, part: user },
    { place: scheme.length + user.length + colon.length, part: password },
  ];
  return new Set(places.filter(({ part }) => part.startsWith('${')).map(({ place }) => place));
}

const HEX_CODE = /%[0-9a-f]{2}/gi;

/**
 * As part of a URL. Text that is percent-encoded already, exactly as encoding makes it,
 * stays as it is.
 */
export function encodedOnce(value: string): string {
  try {
    const written = encodeMarks(value).replace(HEX_CODE, code => code.toUpperCase());
    if (written === encoded(decodeURIComponent(value))) return value;
  } catch {
    // Not percent-encoded.
  }
  return encoded(value);
}

function encoded(text: string): string {
  // Lone surrogates cannot be encoded.
  return encodeMarks(encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd')));
}

/** `encodeURIComponent` leaves these as they are. */
function encodeMarks(text: string): string {
  return text.replace(/[!'()*]/g, mark => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}
