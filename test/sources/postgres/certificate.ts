import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { serverUser } from '../../support/postgres-binaries.ts';

/**
 * A key and a certificate for the host `localhost` that nobody has signed but itself;
 * undefined without openssl.
 */
export function createCertificate(): { folder: string; key: string; certificate: string } | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-tls-'));
  const key = path.join(folder, 'server.key');
  const certificate = path.join(folder, 'server.crt');
  try {
    const args =
      'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost';
    execFileSync('openssl', [...args.split(' '), '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  const { uid, gid } = serverUser();
  for (const file of [folder, key, certificate]) {
    if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
    chmodSync(file, file === folder ? 0o700 : 0o600);
  }
  return { folder, key, certificate };
}
