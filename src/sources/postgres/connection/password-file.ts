import { statSync } from 'node:fs';
import type { PostgresAddress, PostgresHost } from '../../../addresses/postgres-address.ts';
import { readTextFile } from '../../../text-file.ts';
import { PasswordMissingError } from '../postgres-errors.ts';

/**
 * The password for a host: that of the address, or of the first line of the password file
 * that fits.
 */
export function passwordOf(address: PostgresAddress, host: PostgresHost): string {
  const password = address.password?.reveal() ?? inFile(address, host);
  if (password === undefined) throw new PasswordMissingError();
  return password;
}

/**
 * libpq's manual, "The Password File": `host:port:database:user:password`, where `*` fits
 * all and `\` escapes.
 */
function inFile(
  { passwordFile, database, user }: PostgresAddress,
  { host, port }: PostgresHost,
): string | undefined {
  const wanted = [host, String(port), database, user];
  for (const line of linesOf(passwordFile)) {
    const fields = Array.from(line.matchAll(/((?:\\.|[^\\:])*)(?::|$)/gs), match => match[1]!);
    const matches = wanted.every((value, index) => fields[index] === '*' || plain(fields[index]) === value);
    if (matches && !line.startsWith('#') && fields.length > wanted.length)
      return plain(fields[wanted.length]);
  }
  return undefined;
}

function plain(field = ''): string {
  return field.replace(/\\(.)/gs, '$1');
}

/**
 * As in libpq, a file that others may read is no place for passwords, and is not looked
 * into.
 */
function linesOf(path: string | undefined): string[] {
  try {
    if (path === undefined || (statSync(path).mode & 0o077) !== 0) return [];
    return readTextFile(path).split(/\r?\n/);
  } catch {
    return [];
  }
}
