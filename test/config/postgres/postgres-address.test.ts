import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import type { PostgresAddress } from '../../../src/addresses/postgres-address.ts';
import { parsePostgresUrl } from '../../../src/config/postgres/postgres-url.ts';
import { ENVIRONMENT, parse, problems, yaml } from '../support.ts';

type Keys = Readonly<Record<string, unknown>>;

function withSource(keys: Keys): string {
  return yaml().replace(
    `warehouse: { type: postgres, url: "\${WAREHOUSE_URL}" }`,
    `warehouse: ${JSON.stringify({ type: 'postgres', ...keys })}`,
  );
}

function sourceOf(keys: Keys, environment: Record<string, string> = {}) {
  const source = parse(withSource(keys), environment).config.sources['warehouse'];
  assert.ok(source?.type === 'postgres');
  return source;
}

function addressOf(keys: Keys, environment: Record<string, string> = {}): PostgresAddress {
  return sourceOf(keys, environment).address;
}

/** Place, user, database and password, as one text. */
function shown({ hosts, user, database, password }: PostgresAddress): string {
  const places = hosts.map(({ host, hostaddr, port }) => `${host}${hostaddr ? `=${hostaddr}` : ''}|${port}`);
  return `${user}:${password?.reveal() ?? ''}@${places.join(',')}/${database}`;
}

function refusalOf(keys: Keys, environment: Record<string, string> = {}): string {
  const found = problems(withSource(keys), environment);
  assert.equal(found.length, 1, found.join('\n'));
  return found[0]!;
}

describe('a URL has the meaning that libpq gives it', () => {
  const urls: readonly (readonly [url: string, meaning: string])[] = [
    ['postgres://u@h', 'u:@h|5432/u'],
    ['postgresql://u:p@h:5433/d', 'u:p@h|5433/d'],
    ['postgresql://u:p@h:5433/d?', 'u:p@h|5433/d'],
    ['postgresql://u@/d', 'u:@localhost|5432/d'],
    ['postgresql://u@[::1]:5433/d', 'u:@::1|5433/d'],
    ['postgresql://u@[2001:db8::7]', 'u:@2001:db8::7|5432/u'],
    ['postgresql://u@a,b:1,[::1]:2/d', 'u:@a|5432,b|1,::1|2/d'],
    ['postgresql://u@a,b/d?port=6000', 'u:@a|6000,b|6000/d'],
    ['postgresql://u@%2Fvar%2Frun/d', 'u:@/var/run|5432/d'],
    ['postgresql:///d?host=/var/run&port=6&user=u', 'u:@/var/run|6/d'],
    ['postgresql://u@h/one?dbname=two', 'u:@h|5432/two'],
    ['postgresql://u@h/?dbname=two', 'u:@h|5432/two'],
    ['postgresql://u@h?dbname=two', 'u:@h|5432/two'],
    ['postgresql://%75%40:%70%2f%3F@h/%64%20b', 'u@:p/?@h|5432/d b'],
    ['postgresql://u:a#b?c:d&e=f@h/d', 'u:a#b?c:d&e=f@h|5432/d'],
    ['postgresql://u:a@b@h/d', 'u:a@b@h|5432/d'],
    ['postgresql://u:p+q@h/d', 'u:p+q@h|5432/d'],
    ['postgresql://h/d?user=u@tenant&password=p', 'u@tenant:p@h|5432/d'],
    ['postgresql://u@h/d?hostaddr=10.0.0.7', 'u:@h=10.0.0.7|5432/d'],
    ['postgresql://u@/d?hostaddr=10.0.0.7', 'u:@10.0.0.7=10.0.0.7|5432/d'],
  ];
  for (const [url, meaning] of urls) test(url, () => assert.equal(shown(addressOf({ url })), meaning));
});

test('parameters decide about TLS, the session and logging in', () => {
  const url =
    'postgres://u@h/d?sslmode=verify-full&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem&sslcrl=/r.pem&ssl_min_protocol_version=tlsv1.3&sslsni=0&channel_binding=require&target_session_attrs=standby&load_balance_hosts=random&options=-c%20search_path=x&keepalives_idle=5&require_auth=!none,!password&sslnegotiation=direct';
  const { tls, ...address } = addressOf({ url });
  assert.deepEqual(tls, {
    mode: 'verify-full',
    authorities: [resolve('ca.pem')],
    certificate: resolve('c.pem'),
    key: resolve('k.pem'),
    revoked: '/r.pem',
    minVersion: 'TLSv1.3',
    sendsName: false,
    direct: true,
  });
  const { channelBinding, session, shuffled, options, keepAliveMs, authMethods } = address;
  assert.deepEqual(
    { channelBinding, session, shuffled, options, keepAliveMs, authMethods },
    {
      channelBinding: 'require',
      session: 'standby',
      shuffled: true,
      options: '-c search_path=x',
      keepAliveMs: 5_000,
      authMethods: ['md5', 'scram-sha-256'],
    },
  );
});

test('TLS is tried first where nothing is said, and system certificates are checked in full', () => {
  assert.equal(addressOf({ url: 'postgres://u@h/d' }).tls.mode, 'prefer');
  const environment = { SSL_CERT_FILE: '/own.pem' };
  const { tls } = addressOf({ url: 'postgres://u@h/d?sslrootcert=system' }, environment);
  assert.deepEqual([tls.mode, tls.authorities], ['verify-full', ['/own.pem']]);
});

test('spellings of other clients have the meaning that libpq or the driver gave them', () => {
  const modeOf = (parameter: string): string => addressOf({ url: `postgres://u@h/d?${parameter}` }).tls.mode;
  assert.deepEqual(['ssl=true', 'ssl=false', 'sslmode=no-verify', 'uselibpqcompat=true'].map(modeOf), [
    'require',
    'disable',
    'require',
    'prefer',
  ]);
});

test('what a key says goes before the URL, and the URL before the default', () => {
  const url = 'postgres://u@h/d?application_name=from-url&connect_timeout=3';
  const { applicationName, connectTimeout } = sourceOf({ url });
  assert.deepEqual([applicationName, connectTimeout], ['from-url', 3_000]);
  const keyed = sourceOf({ url, applicationName: 'sluice', connectTimeout: '10s' });
  assert.deepEqual([keyed.applicationName, keyed.connectTimeout], ['sluice', 10_000]);
});

describe('a parameter that is not taken is refused by name', () => {
  const refusals: readonly (readonly [parameter: string, message: RegExp])[] = [
    ['conect_timeout=3', /unknown parameter conect_timeout \(did you mean connect_timeout\?\)/],
    ['bogus=1', /unknown parameter bogus; allowed are host, /],
    ['sslmode=requiree', /parameter sslmode=requiree; expected one of .* \(did you mean require\?\)/],
    ['sslmode=Disable', /parameter sslmode=Disable; expected .* \(did you mean disable\?\)/],
    ['ssl_min_protocol_version=TLSv9', /ssl_min_protocol_version=TLSv9; expected one of TLSv1, /],
    ['target_session_attrs=readonly', /target_session_attrs=readonly; .*did you mean read-only/],
    ['channel_binding=yes', /channel_binding=yes; expected one of prefer, disable, require/],
    ['require_auth=gss', /require_auth=gss; expected none, password, md5, scram-sha-256/],
    ['gssencmode=require', /gssencmode, which a source does not take: GSSAPI is not supported/],
    ['service=prod', /service, which a source does not take: write host, port, dbname and user/],
    ['replication=true', /replication, .* cannot run queries/],
    ['query_timeout=1', /query_timeout, .* write the key statementTimeout/],
    ['scramMaxIterations=1', /scramMaxIterations, .* leave it out/],
    ['statement_timeout=1', /statement_timeout, .* write the key statementTimeout/],
    ['tcp_user_timeout=5', /tcp_user_timeout, .* inactivityTimeout/],
    ['sslcrldir=x', /sslcrldir, .* sslcrl/],
    ['schema=public', /schema, .*search_path/],
    ['connect_timeout=soon', /connect_timeout; expected seconds/],
    ['sslrootcert=system&sslmode=require', /its sslmode is require with sslrootcert system/],
    ['sslmode=verify-ca', /its sslmode is verify-ca without sslrootcert/],
    ['sslcert=c.pem', /needs sslcert and sslkey both/],
    ['sslmode=disable&channel_binding=require', /channel_binding is require with sslmode disable/],
    [
      'ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2',
      /older than ssl_min_protocol_version/,
    ],
    ['host=a,b&port=1,2,3', /names 3 ports for 2 hosts/],
    ['hostaddr=name', /holds a name; expected IP addresses/],
    ['port=99999', /parameter port=99999; expected a port from 1 to 65535/],
  ];
  for (const [parameter, message] of refusals) {
    test(parameter, () => {
      assert.match(refusalOf({ url: `postgres://u@h/d?${parameter}` }), message);
    });
  }
});

describe('a password that breaks the URL is refused when the configuration is loaded, and not shown', () => {
  for (const password of ['pass/word', '12/secretword', '12/se?cret=x', 'a%zz', 'a%', 'a b', '/', 'x/y@z']) {
    test(password, () => {
      const url = `postgres://u:${password}@h:5432/d`;
      const message = refusalOf({ url: `\${WHOLE}` }, { WHOLE: url });
      assert.match(
        message,
        /^sources\.warehouse\.url .*percent-encode .*keys host, port, database, user and password|^sources\.warehouse\.url .*write %25 .*keys host/,
      );
      if (password.length > 3) assert.ok(!message.includes(password));
      assert.ok(!message.includes('secret'));
    });
  }
});

describe('a reference that is all of a password is a value and no syntax', () => {
  const passwords = [
    'a#b/c?d@e%41 f',
    '12/secretword',
    '12#x',
    '12?x',
    'x%41y',
    '%',
    '%zz',
    'a:b',
    '[x]',
    'é\'"$\\',
    `\${x}`,
  ];
  for (const password of passwords) {
    test(password, () => {
      const url = `postgres://\${DB_USER}:\${DB_PASSWORD}@h:5433/d`;
      const environment = { ...ENVIRONMENT, DB_USER: 'me@tenant', DB_PASSWORD: password };
      assert.equal(shown(addressOf({ url }, environment)), `me@tenant:${password}@h|5433/d`);
    });
  }

  test('one that was percent-encoded for its place stays as it is', () => {
    for (const plain of ['p@ss/word', 'a b', "it's 100%", 'é(1)', '%41']) {
      const url = `postgres://u:\${DB_PASSWORD}@h/d`;
      for (const written of [encodeURIComponent(plain), encodeURIComponent(plain).toLowerCase()]) {
        assert.equal(addressOf({ url }, { DB_PASSWORD: written }).password?.reveal(), plain, written);
      }
    }
  });

  test('a default and a part of a password stay what they are', () => {
    assert.equal(shown(addressOf({ url: `postgres://u:\${NOT_SET:-p/q}@h/d` })), 'u:p/q@h|5432/d');
    assert.match(refusalOf({ url: `postgres://u:x\${PART}@h/d` }, { PART: 'y/z' }), /percent-encode/);
    assert.equal(shown(addressOf({ url: `postgres://\${BOTH}@h/d` }, { BOTH: 'u:p' })), 'u:p@h|5432/d');
  });
});

describe('keys in place of a URL', () => {
  test('are taken as they are', () => {
    const keys = {
      host: 'h',
      port: 5433,
      database: 'd?',
      user: 'u@t',
      password: `\${DB_PASSWORD}`,
      sslmode: 'disable',
    };
    const address = addressOf(keys, { DB_PASSWORD: 'a#b/c?d@e%41 f' });
    assert.equal(shown(address), 'u@t:a#b/c?d@e%41 f@h|5433/d?');
    assert.equal(address.tls.mode, 'disable');
    assert.equal(shown(addressOf({ host: 'a,b', port: '1,2', user: 'u' })), 'u:@a|1,b|2/u');
  });

  test('take a port from a reference', () => {
    assert.equal(
      shown(addressOf({ host: 'h', user: 'u', port: `\${PORT}` }, { PORT: '6000' })),
      'u:@h|6000/u',
    );
  });

  test('hide the password', () => {
    const loaded = parse(withSource({ host: 'h', user: 'u', password: 'long-enough' }));
    assert.ok(!JSON.stringify(loaded.config).includes('long-enough'));
    assert.equal(loaded.redactor.clean('a long-enough b'), 'a (hidden) b');
  });

  test('do not stand beside a URL', () => {
    const found = problems(withSource({ url: 'postgres://h/d', host: 'h', password: 'p' }));
    assert.deepEqual(
      found.map(problem => problem.slice(0, 40)),
      ['sources.warehouse.host stands beside url', 'sources.warehouse.password stands beside '].map(text =>
        text.slice(0, 40),
      ),
    );
  });

  test('one of url and host is needed', () => {
    assert.match(refusalOf({}), /^sources\.warehouse has neither url nor host/);
  });

  test('are refused where they cannot be used together', () => {
    assert.match(
      refusalOf({ host: 'h', sslmode: 'verify-ca' }),
      /^sources\.warehouse\.sslmode is verify-ca without/,
    );
    assert.match(
      refusalOf({ host: 'h', sslmode: 'requiree' }),
      /^sources\.warehouse\.sslmode is "requiree"; .*did you mean require/,
    );
    assert.match(refusalOf({ host: 'h:5432', user: 'u' }), /^sources\.warehouse\.host is not a name/);
  });
});

describe('the environment', () => {
  test('gives a password where there is none, which is then hidden', () => {
    const environment = { PGPASSWORD: 'from-environment' };
    const loaded = parse(withSource({ url: 'postgres://u@h/d' }), environment);
    assert.equal(loaded.redactor.clean('a from-environment b'), 'a (hidden) b');
    assert.equal(addressOf({ url: 'postgres://u@h/d' }, environment).password?.reveal(), 'from-environment');
    assert.equal(addressOf({ url: 'postgres://u:own@h/d' }, environment).password?.reveal(), 'own');
  });

  test('changes nothing else', () => {
    const environment = {
      PGSSLMODE: 'disable',
      PGHOST: 'elsewhere',
      PGUSER: 'another',
      PGDATABASE: 'other',
      PGPORT: '1',
      PGOPTIONS: '-c x=y',
      PGAPPNAME: 'app',
    };
    assert.deepEqual(addressOf({ url: 'postgres://u@h' }, environment), addressOf({ url: 'postgres://u@h' }));
  });
});

test('no fault of a URL shows a part of it', () => {
  for (const url of [
    'mysql://canary@h',
    'postgres://canary:x y@h',
    'postgres://canary:p/w@h/d',
    'postgres://h:canary/d',
  ]) {
    const parsed = parsePostgresUrl(url);
    assert.ok('fault' in parsed && !parsed.fault.includes('canary'), url);
  }
});

test('files of a source are found from the folder of the configuration', () => {
  const { tls, passwordFile } = addressOf({ host: 'h', user: 'u', sslrootcert: 'ca.pem', passfile: 'p' });
  assert.deepEqual([tls.authorities, passwordFile], [[join(process.cwd(), 'ca.pem')], resolve('p')]);
});

test('a user id that the system does not know, as in containers, has no home and needs none', t => {
  const unknown = (): never => {
    throw Object.assign(new Error('uv_os_homedir returned ENOENT'), { code: 'ERR_SYSTEM_ERROR' });
  };
  const mocks = [t.mock.method(os, 'homedir', unknown), t.mock.method(os, 'userInfo', unknown)];
  syncBuiltinESMExports();
  try {
    assert.equal(addressOf({ host: 'h', user: 'u' }).passwordFile, undefined);
  } finally {
    for (const mock of mocks) mock.mock.restore();
    syncBuiltinESMExports();
  }
});
