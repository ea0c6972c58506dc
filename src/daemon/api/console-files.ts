import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Beside this file as it is bundled, as it is compiled, and as it stands in the sources.
 */
const FOLDERS = ['../console/', '../../console/', '../../../dist/console/'];

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};
const ENCODINGS = { br: '.br', gzip: '.gz' } as const;

/**
 * Nothing but files of the console's own runs or is loaded, and no text becomes markup.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

export interface ConsoleAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

/** The files of the web console, in memory. They hold no data and no secret. */
export class ConsoleFiles {
  readonly #files: ReadonlyMap<string, Buffer>;

  constructor(files: ReadonlyMap<string, Buffer>) {
    this.#files = files;
  }

  /** Undefined where the console has not been built, as in the sources. */
  static read(): ConsoleFiles | undefined {
    for (const place of FOLDERS) {
      const folder = fileURLToPath(new URL(place, import.meta.url));
      try {
        const names = readdirSync(folder);
        if (!names.includes('index.html')) continue;
        return new ConsoleFiles(new Map(names.map(name => [name, readFileSync(folder + name)])));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    return undefined;
  }

  /**
   * `accepted` is the header `Accept-Encoding`. Undefined where there is no such file.
   */
  find(name: string, accepted: string): ConsoleAnswer | undefined {
    const extension = name.split('.').at(-1)!;
    const type = TYPES[extension];
    const plain = type === undefined ? undefined : this.#files.get(name);
    if (type === undefined || plain === undefined) return undefined;
    const offered = new Set(accepted.split(',').map(item => item.split(';', 1)[0]!.trim().toLowerCase()));
    const encoding = (['br', 'gzip'] as const).find(
      way => offered.has(way) && this.#files.has(name + ENCODINGS[way]),
    );
    return {
      bytes: encoding === undefined ? plain : this.#files.get(name + ENCODINGS[encoding])!,
      headers: {
        'Content-Type': type,
        'Content-Security-Policy': POLICY,
        // Names of scripts and styles change with what is in them.
        'Cache-Control': /-[A-Z0-9]{8}\./.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
        Vary: 'Accept-Encoding',
        ...(encoding !== undefined && { 'Content-Encoding': encoding }),
      },
    };
  }
}
