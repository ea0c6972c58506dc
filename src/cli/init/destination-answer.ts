/** What somebody types for where files go. */
export type PlaceAnswer =
  | { readonly type: 'folder'; readonly path: string }
  | { readonly type: 'connection string'; readonly text: string }
  | {
      readonly type: 'container';
      readonly accountUrl: string;
      readonly container: string;
      readonly folder?: string;
      /** Absent where the URL has none. */
      readonly sasToken?: string;
    };

/** `undefined` for a URL that names no container. */
export function parsePlace(text: string): PlaceAnswer | undefined {
  if (
    /^(?:UseDevelopmentStorage|[A-Za-z]+)=.*$/.test(text) &&
    /(?:Account|Endpoint|DevelopmentStorage)/i.test(text)
  )
    return { type: 'connection string', text };
  if (!/^https?:\/\//i.test(text)) return { type: 'folder', path: text };
  if (!URL.canParse(text)) return undefined;
  const { origin, hostname, pathname, searchParams, search } = new URL(text);
  const segments = pathname
    .split('/')
    .filter(segment => segment !== '')
    .map(decodeURIComponent);
  // An emulator, and whatever is reached by its address, has the account in its path.
  const isInPath = /^(?:[\d.]+|\[.*\]|localhost|[^.]+)$/.test(hostname);
  const account = isInPath ? segments.shift() : undefined;
  const [container, ...folder] = segments;
  if (container === undefined) return undefined;
  return {
    type: 'container',
    accountUrl: account === undefined ? origin : `${origin}/${account}`,
    container,
    ...(folder.length > 0 && { folder: `${folder.join('/')}/` }),
    ...(searchParams.has('sig') && { sasToken: search.slice(1) }),
  };
}
