import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { Secret } from '../../../src/config/secrets.ts';
import { DeliveryError } from '../../../src/daemon/notify/delivery.ts';
import { Email, type EmailOptions, type SmtpConfig } from '../../../src/daemon/notify/email.ts';
import { successNotification } from '../../../src/daemon/notify/success-notification.ts';
import { record } from '../support/records.ts';
import { notification } from './notifications.ts';

/**
 * A key and a certificate for `localhost` that nobody has signed but itself; undefined
 * without openssl.
 */
function createCertificate(): { key: string; cert: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-smtp-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  try {
    const args =
      'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost';
    execFileSync('openssl', [...args.split(' '), '-keyout', key, '-out', certificate], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(certificate, 'utf8') };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const tls = createCertificate();
const skip = tls === undefined ? 'there is no openssl' : false;

interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
  readonly isSecure: boolean;
  readonly user: string | undefined;
}

/** A real mail server, for the time of one test. */
async function withMailServer(
  options: SMTPServerOptions,
  act: (server: { port: number; mails: Mail[]; connections: () => number }) => Promise<void>,
): Promise<void> {
  const mails: Mail[] = [];
  let connections = 0;
  const server = new SMTPServer({
    disabledCommands: ['AUTH'],
    disableReverseLookup: true,
    ...tls,
    onConnect: (_session, done) => {
      connections++;
      done();
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', chunk => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString(),
          isSecure: session.secure,
          user: session.user as string | undefined,
        });
        done();
      });
    },
    ...options,
  });
  // A client that goes away in the middle is what some tests are about.
  server.on('error', () => {});
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as { port: number };
  try {
    await act({ port, mails, connections: () => connections });
  } finally {
    await new Promise<void>(resolve => server.close(resolve));
  }
}

function email(port: number, smtp: Partial<SmtpConfig> = {}, options: Partial<EmailOptions> = {}): Email {
  return new Email({
    smtp: { host: 'localhost', port, security: 'none', from: 'sluice@example.com', ...smtp },
    to: ['ops@example.com', 'data@example.com'],
    timeoutMs: 5000,
    ...options,
  });
}

const trusting = { ca: tls?.cert ?? '' };
const { signal } = new AbortController();

async function failure(to: Email, of = notification('n1')): Promise<DeliveryError> {
  const error = await to.send(of, signal).then(
    () => assert.fail('it was delivered'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof DeliveryError, String(error));
  return error;
}

const header = (raw: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*(?:\r\n[ \t].*)*)`, 'im').exec(raw)?.[1]?.replace(/\r\n[ \t]/g, ' ');
const bodyOf = (raw: string): string => raw.slice(raw.indexOf('\r\n\r\n') + 4);

test('a mail goes to all addresses, says what there is to say, and can be told from a repetition', () =>
  withMailServer({}, async ({ port, mails }) => {
    await email(port).send(notification('n1'), signal);
    const [mail] = mails;
    assert.equal(mail?.from, 'sluice@example.com');
    assert.deepEqual(mail?.to, ['ops@example.com', 'data@example.com']);
    assert.equal(header(mail!.raw, 'Subject'), '[Sluice] a: RUN_FAILED');
    assert.equal(header(mail!.raw, 'Message-ID'), '<n1@sluice>');
    assert.equal(header(mail!.raw, 'Auto-Submitted'), 'auto-generated');
    assert.equal(header(mail!.raw, 'Date'), 'Mon, 01 Jun 2026 00:00:00 +0000');
    assert.deepEqual(bodyOf(mail!.raw).trimEnd().split('\r\n'), [
      'SOURCE_TIMEOUT: nothing came',
      '',
      'activation  a',
      'warning     RUN_FAILED (error)',
      'state       since 2026-06-01T00:00:00.000Z',
      'run         20260601-000000-000-abcdef',
    ]);
    await email(port).send(
      notification('n2', { event: 'recovered', at: '2026-06-01T02:00:00.000Z' }),
      signal,
    );
    assert.equal(header(mails[1]!.raw, 'Subject'), '[Sluice] a: RUN_FAILED is over');
    assert.match(mails[1]!.raw, /state {7}over, at 2026-06-01T02:00:00\.000Z/);
  }));

test('a message cannot bring headers, addresses or commands of its own', () =>
  withMailServer({}, async ({ port, mails }) => {
    const message = 'x\r\n.\r\nMAIL FROM:<evil@example.com>\r\nBcc: evil@example.com\r\n\r\nline';
    const hostile = notification('n1', { message, activation: 'a\r\nBcc: evil@example.com' });
    await email(port).send(hostile, signal);
    assert.equal(mails.length, 1);
    assert.deepEqual(mails[0]?.to, ['ops@example.com', 'data@example.com']);
    const head = mails[0]!.raw.slice(0, mails[0]!.raw.indexOf('\r\n\r\n'));
    assert.doesNotMatch(head, /^bcc:/im);
  }));

test('STARTTLS is used, with a certificate that is checked', { skip }, () =>
  withMailServer({}, async ({ port, mails }) => {
    await email(port, { security: 'starttls' }, trusting).send(notification('n1'), signal);
    assert.deepEqual(
      mails.map(({ isSecure }) => isSecure),
      [true],
    );
    const untrusted = await failure(email(port, { security: 'starttls' }));
    assert.match(untrusted.message, /self-signed certificate/);
    const misnamed = await failure(email(port, { security: 'starttls', host: '127.0.0.1' }, trusting));
    assert.match(misnamed.message, /does not match certificate/);
    assert.equal(mails.length, 1);
  }),
);

test('where STARTTLS is not offered nothing is sent, the password least of all', { skip }, () => {
  let isAsked = false;
  const onAuth: SMTPServerOptions['onAuth'] = (_auth, _session, done) => {
    isAsked = true;
    done(null, { user: 'u' });
  };
  return withMailServer(
    { disabledCommands: ['STARTTLS'], allowInsecureAuth: true, onAuth },
    async ({ port, mails }) => {
      const login = { user: 'u', password: new Secret('cAnArY-password') };
      const error = await failure(email(port, { security: 'starttls', ...login }, trusting));
      assert.match(error.message, /STARTTLS/);
      assert.deepEqual([mails.length, isAsked], [0, false]);
    },
  );
});

test('TLS from the first byte', { skip }, () =>
  withMailServer({ secure: true }, async ({ port, mails }) => {
    await email(port, { security: 'tls' }, trusting).send(notification('n1'), signal);
    assert.equal(mails[0]?.isSecure, true);
    assert.match((await failure(email(port, { security: 'tls' }))).message, /self-signed certificate/);
  }),
);

test('the login is given where the server asks for one, and a wrong one is told without it', { skip }, () => {
  const onAuth: SMTPServerOptions['onAuth'] = ({ username, password }, _session, done) =>
    password === 'cAnArY-right' ? done(null, { user: username }) : done(new Error('Invalid login'));
  return withMailServer({ disabledCommands: [], onAuth }, async ({ port, mails }) => {
    const login = (password: string): Email =>
      email(port, { security: 'starttls', user: 'u', password: new Secret(password) }, trusting);
    await login('cAnArY-right').send(notification('n1'), signal);
    assert.equal(mails[0]?.user, 'u');
    const error = await failure(login('cAnArY-wrong'));
    assert.match(error.message, /^answered 535/);
    assert.equal(error.isRefusal, false);
    assert.ok(!error.message.includes('cAnArY'));
    assert.ok(!error.message.includes(Buffer.from('cAnArY-wrong').toString('base64')));
  });
});

test('a mail that is refused for good is told from one that is refused for now', async () => {
  const refusing = (responseCode: number): SMTPServerOptions => ({
    onRcptTo: (_address, _session, done) => done(Object.assign(new Error('not here'), { responseCode })),
  });
  for (const [code, isRefusal] of [
    [550, true],
    [451, false],
  ] as const) {
    await withMailServer(refusing(code), async ({ port, mails }) => {
      const error = await failure(email(port));
      assert.equal(error.isRefusal, isRefusal, error.message);
      assert.match(error.message, new RegExp(`^answered ${code}: .*not here`));
      assert.equal(mails.length, 0);
    });
  }
});

test('a server that is not there, or says nothing, is given up', async () => {
  const silent = createServer(() => {});
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  const error = await failure(email(port, { host: '127.0.0.1' }, { timeoutMs: 50 }));
  assert.match(error.message, /^cannot be reached \(ETIMEDOUT/);
  await new Promise(resolve => silent.close(resolve));
  const refused = await failure(email(port, { host: '127.0.0.1' }));
  assert.match(refused.message, /^cannot be reached \((ESOCKET|ECONNECTION|ECONNREFUSED)/);
  assert.equal(refused.isRefusal, false);
});

test('a delivery that is called off ends at once', async () => {
  const abort = new AbortController();
  const silent = createServer(() => abort.abort());
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  await assert.rejects(
    email(port, { host: '127.0.0.1' }).send(notification('n1'), abort.signal),
    /was interrupted/,
  );
  await new Promise(resolve => silent.close(resolve));
});

test('a mail of a success says so, and links to the run', () =>
  withMailServer({}, async ({ port, mails }) => {
    const success = successNotification(record('succeeded', { run: 'r1', read: 7 }));
    await email(port, {}, { publicUrl: 'https://sluice.example.com' }).send(success, signal);
    const [mail] = mails;
    assert.equal(header(mail!.raw, 'Subject'), '[Sluice] a: succeeded');
    const body = bodyOf(mail!.raw);
    assert.match(body, /^7 rows read, 0 rows in 0 files written\r\n/);
    assert.match(body, /https:\/\/sluice\.example\.com\/#\/runs\/r1/);
    assert.doesNotMatch(body, /warning/);
  }));
