import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { isTlsFailure } from '../../src/addresses/tls-failure.ts';
import { DaemonConnection } from '../../src/cli/daemon-client/daemon-connection.ts';
import { SluiceError } from '../../src/errors.ts';

test('https to a daemon that speaks http is not worth another try', async t => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = new DaemonConnection(`https://127.0.0.1:${port}`, '', {});
  const request = { signal: AbortSignal.timeout(60_000) };
  await assert.rejects(connection.send('GET', '/v1/me', request), (error: SluiceError) => {
    assert.ok(error instanceof SluiceError);
    assert.equal(error.code, 'DAEMON_CONNECT_FAILED');
    assert.equal(error.retryable, false);
    assert.match(error.hint, /http:/);
    return true;
  });
});

test('failures of TLS are told from those of the network', () => {
  const lasting = [
    ...['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED'],
    ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ...['HOSTNAME_MISMATCH', 'INVALID_CA', 'INVALID_PURPOSE', 'PATH_LENGTH_EXCEEDED'],
  ];
  for (const code of lasting) assert.equal(isTlsFailure(code), true, code);
  for (const code of ['ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT', 'EPROTONOSUPPORT', '', undefined])
    assert.equal(isTlsFailure(code), false, code);
});
