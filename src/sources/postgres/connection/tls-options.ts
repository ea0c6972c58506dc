import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  type SecureContextOptions,
} from 'node:tls';
import type { PostgresHost, TlsSettings } from '../../../addresses/postgres-address.ts';
import { SluiceError } from '../../../errors.ts';

/**
 * What `tls.connect` is to do for a host, with the meaning that libpq gives to `sslmode`:
 * whether the certificate is looked at, and whether its name is.
 */
export function tlsOptions(tls: TlsSettings, { host }: PostgresHost): ConnectionOptions {
  const verifies = tls.mode.startsWith('verify') || tls.authorities !== undefined;
  const { minVersion, maxVersion } = tls;
  const context: SecureContextOptions = {
    ...(tls.authorities ? { ca: tls.authorities.map(path => fileOf('sslrootcert', path)) } : {}),
    ...(tls.certificate ? { cert: fileOf('sslcert', tls.certificate) } : {}),
    ...(tls.key ? { key: fileOf('sslkey', tls.key) } : {}),
    ...(tls.keyPassword ? { passphrase: tls.keyPassword.reveal() } : {}),
    ...(tls.revoked ? { crl: fileOf('sslcrl', tls.revoked) } : {}),
    minVersion,
    ...(maxVersion ? { maxVersion } : {}),
  };
  return {
    secureContext: secureContext(context),
    rejectUnauthorized: verifies,
    checkServerIdentity: (_, certificate) =>
      tls.mode === 'verify-full' ? checkServerIdentity(host, certificate) : undefined,
    ...(tls.sendsName && isIP(host) === 0 ? { servername: host } : {}),
  };
}

function secureContext(options: SecureContextOptions) {
  try {
    return createSecureContext(options);
  } catch (cause) {
    const message = `the certificates or the key of the source cannot be used: ${(cause as Error).message}`;
    const hint =
      'check the files that sslrootcert, sslcert, sslkey and sslcrl name, which are PEM, and sslpassword';
    throw new SluiceError('CONFIG_INVALID', message, { cause, hint, stage: 'source' });
  }
}

function fileOf(key: string, path: string): Buffer {
  try {
    const bytes = readFileSync(path);
    // In front of the first certificate a byte order mark would hide it.
    return bytes.toString('hex', 0, 3) === 'efbbbf' ? bytes.subarray(3) : bytes;
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
    const message = `${key} of the source names the file ${path}, which cannot be read (${code})`;
    const hint = `correct ${key}, or let this user read the file`;
    throw new SluiceError('CONFIG_INVALID', message, { cause, hint, stage: 'source' });
  }
}
