import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, problems, yaml } from '../support.ts';

const DELTA = { runType: 'full_then_delta', syncMode: 'upsert' };

function one(text: string): string {
  const found = problems(text);
  assert.equal(found.length, 1, found.join('\n'));
  return found[0] as string;
}

test('accepts every combination of the table of run types and sync modes that is not refused there', () => {
  for (const runType of ['full_only', 'full_then_delta']) {
    for (const syncMode of ['snapshot', 'upsert', 'insert', 'difference']) {
      const refused = runType === 'full_only' ? syncMode === 'difference' : syncMode === 'snapshot';
      if (refused) assert.match(one(yaml({ runType, syncMode })), /^activations\.export\.syncMode is/);
      else parse(yaml({ runType, syncMode }));
    }
  }
});

test('gives the reason for refused combinations', () => {
  assert.match(
    one(yaml({ syncMode: 'difference' })),
    /full_only, which keeps no state to take a difference against/,
  );
  assert.match(one(yaml({ runType: 'full_then_delta' })), /every row in every run, so there is no delta/);
});

test('one slip in a key does not make the rules that read it complain too', () => {
  assert.match(one(yaml({ runType: 'full_then_delta', syncMode: 'diference' })), /did you mean difference\?/);
});

test('rules are checked in entries that have other faults', () => {
  const found = problems(yaml({ syncMode: 'difference', onEmpty: 'x', colour: 'red' }));
  assert.equal(found.length, 3, found.join('\n'));
});

test('append is for insert, and not for parquet or archived blobs', () => {
  const insert = { ...DELTA, ifExists: 'append', syncMode: 'insert' };
  parse(yaml(insert));
  assert.match(one(yaml({ ...insert, syncMode: 'upsert' })), /only insert/);
  assert.match(one(yaml({ ...insert, runType: 'full_only' })), /would add every row again/);
  assert.match(one(yaml({ ...insert, format: { type: 'parquet' } })), /parquet/);
  assert.match(one(yaml({ ...insert, blob: { accessTier: 'Archive' } })), /Archive/);
});

test('what the package of the library engine cannot write is refused here, not after the query was sent', () => {
  const zstd = { type: 'parquet', compression: 'zstd' };
  parse(yaml({ format: zstd }));
  assert.match(
    one(yaml({ format: { ...zstd, engine: 'library' } })),
    /format\.compression is zstd.*engine fast/,
  );
  const escaped = { type: 'csv', escapeChar: '𝄞' };
  parse(yaml({ format: escaped }));
  assert.match(
    one(yaml({ format: { ...escaped, engine: 'library' } })),
    /format\.escapeChar is.*engine fast/,
  );
});

test('an activation has exactly one of model and segment', () => {
  assert.match(one(yaml({ segment: 'french' })), /exactly one/);
  assert.match(one(yaml({ model: undefined })), /exactly one/);
  parse(yaml({ model: undefined, segment: 'french' }));
});

test('a delta needs a primary key', () => {
  const text = yaml(DELTA).replace(', primaryKey: [id]', '');
  assert.match(one(text), /models\.customers has no primaryKey/);
});

test('a model is a query or a table with its schema, and the key of a table may be left to the catalogue', () => {
  const model = (keys: string): string =>
    yaml(DELTA).replace(/customers: \{ source: warehouse.*\}/, `customers: { source: warehouse, ${keys} }`);
  parse(model('table: sales.orders'));
  parse(model(`table: '"Sales"."My ""table"""', columns: [id], where: id > 0`));
  assert.match(one(model('table: orders')), /expected a table with its schema, such as sales\.orders/);
  assert.match(one(model('table: sales.orders, sql: select 1 as id')), /table stands beside sql/);
  assert.match(
    one(model('sql: select 1 as id, primaryKey: [id], where: id > 0')),
    /where is set without table/,
  );
  assert.match(one(model('table: sales.orders, columns: [id, id]')), /names "id" again/);
  assert.match(one(model('primaryKey: [id]')), /expected one SQL statement that reads, or a table/);
});

test('settings that could have no effect are refused', () => {
  assert.match(one(yaml({ ...DELTA, removedRows: 'keys' })), /only difference writes removed rows/);
  assert.match(one(yaml({ warnings: { removedRowsOver: '5%' } })), /no row is ever removed/);
  assert.match(one(yaml({ format: { type: 'csv', level: 3 } })), /needs compression gzip or zstd/);
  assert.match(
    one(yaml({ format: { type: 'csv', compression: 'gzip', level: 12 } })),
    /level is 12, and gzip has levels from 1 to 9; expected one of them, or compression zstd/,
  );
  parse(yaml({ format: { type: 'csv', compression: 'zstd', level: 19 } }));
  assert.match(one(yaml({ notify: [{ email: ['a@example.com'] }] })), /daemon\.smtp/);
});

test('a CSV dialect must be readable', () => {
  const csv = (options: Record<string, unknown>): string =>
    one(yaml({ format: { type: 'csv', ...options } }));
  const needsEscape = { quoteChar: "'", escapeChar: '\\' };
  assert.match(csv({ delimiter: '"' }), /delimiter holds the quote or escape character/);
  assert.match(csv({ delimiter: ',"' }), /delimiter holds the quote/);
  assert.match(csv({ ...needsEscape, delimiter: '\\|' }), /delimiter holds the quote or escape/);
  assert.match(csv({ nullText: 'a,b' }), /nullText holds the delimiter/);
  assert.match(csv({ nullText: '""' }), /nullText holds the quote character/);
  assert.match(csv({ nullText: 'a\nb' }), /nullText is "a\\nb"; expected text without a line break/);
  for (const [delimiter, nullText] of [
    ['::', 'a:'],
    ['::', ':'],
    ['||', 'NULL|'],
    ['abab', 'xab'],
    ['\t\t', '\t'],
  ])
    assert.match(csv({ delimiter, nullText }), /format\.nullText runs into the delimiter/, nullText);
  parse(yaml({ format: { type: 'csv', delimiter: '::', nullText: 'a:b' } }));
  parse(yaml({ format: { type: 'csv', nullText: '\\N', escapeChar: '\\' } }));
  assert.match(one(yaml({ format: { type: 'csv', booleans: ['x', 'x'] } })), /two different texts/);
  assert.match(one(yaml({ format: { type: 'csv', quoteChar: 'ab' } })), /exactly one character/);
  parse(
    yaml({ format: { type: 'csv', delimiter: '||', quoteChar: "'", nullText: '\\N', booleans: [1, 0] } }),
  );
});

test('columns have distinct names in the file', () => {
  assert.match(
    one(yaml({ mapping: ['a', { from: 'b', to: 'a' }] })),
    /mapping\[1\] writes a second column named "a"/,
  );
});

test('a destination has exactly one way to authenticate', () => {
  const auth = (text: string) => yaml().replace(/auth: .*/, `auth: ${text}`);
  assert.match(one(auth('{}')), /auth is an empty map; expected exactly one of sasToken/);
  assert.match(one(auth('{ identity: default, accountKey: YWJjZA== }')), /expected exactly one of/);
  assert.match(one(auth('{ identity: me }')), /expected default/);
  assert.match(one(auth('{ connectionString: UseDevelopmentStorage=true }')), /names the account itself/);
  assert.match(one(auth('{ sasToken: sv=1 }')), /sasToken is not a SAS token, for it has no sig/);
  parse(auth('{ identity: default }'));
});

test('an account URL is https, or http on loopback, and holds no token', () => {
  const account = (url: string) => yaml().replace(/accountUrl: .*/, `accountUrl: ${url}`);
  for (const url of [
    'http://acme.blob.core.windows.net',
    'https://acme.blob.core.windows.net?sig=canary',
    'acme',
  ]) {
    const found = one(account(url));
    assert.match(found, /accountUrl is/);
    assert.doesNotMatch(found, /canary/);
  }
  parse(account('http://127.0.0.1:10000/devstoreaccount1'));
});

test('a folder and a file name obey the rules of names', () => {
  const folder = yaml().replace('container: exports', 'container: exports\n    folder: a//b');
  assert.match(one(folder), /folder is "a\/\/b"; a folder must not have an empty segment/);
  assert.match(one(yaml({ fileName: '../x' })), /fileName is "\.\.\/x"; a file name must not have a segment/);
  assert.match(one(yaml({ fileName: 'x'.repeat(1010), ...DELTA })), /1024/);
});

test('two activations that could write the same blob are refused, with an example and both places', () => {
  const second = (activation: Record<string, unknown>) =>
    `${yaml({ fileName: '{YYYY}/x', ...DELTA, syncMode: 'difference' }).trimEnd()}
  other: ${JSON.stringify({ model: 'customers', destination: 'lake', format: { type: 'csv' }, ...activation })}
`;
  const found = one(second({ fileName: '2025/x_added' }));
  assert.match(
    found,
    /^activations\.other\.fileName could give the same blob as activations\.export\.fileName/,
  );
  assert.match(found, /sluice\.yaml:15:\d+\), such as "2025\/x_added\.csv"/);
  parse(second({ fileName: '2025/x' }));
  parse(second({ fileName: '2025/x_added', format: { type: 'csv', compression: 'gzip' } }));
});

test('destinations with different names may be the same container', () => {
  const text = (folder: string, fileName: string) => `${yaml({ fileName: 'crm/x' }).replace(
    'models:',
    `  again:
    type: azure-blob
    container: exports
    folder: "${folder}"
    auth: { connectionString: "AccountName=ACME;AccountKey=YWJjZA==" }
models:`,
  )}  other: { model: customers, destination: again, fileName: ${fileName}, format: { type: csv } }
`;
  assert.match(one(text('crm', 'x')), /could give the same blob/);
  parse(text('crm2', 'x'));
  parse(text('', 'x'));
});

test('a model has SQL if its source takes some', () => {
  const json = yaml().replace(`type: postgres, url: "\${WAREHOUSE_URL}"`, 'type: json, path: x.json');
  const found = problems(json);
  assert.ok(found.some(text => /sql is set, but the source is json/.test(text)));
  assert.ok(found.some(text => /where is SQL/.test(text)));
  assert.match(one(yaml().replace('sql: select 1 as id, ', '')), /sql is required/);
});

test('a daemon that others can reach has a token, and tokens are long', () => {
  assert.match(one(yaml({}, 'daemon: { host: 0.0.0.0 }')), /there is no token/);
  assert.match(
    one(yaml({}, 'daemon: { tokens: { read: [short] } }')),
    /read\[0\] is \(hidden\); expected a token of at least/,
  );
  parse(yaml({}, 'daemon: { host: 0.0.0.0, tokens: { write: [0123456789abcdef] } }'));
});

test('tokens with names have each its own name and text, a right, and patterns of names', () => {
  const daemon = (...tokens: object[]): string => yaml({}, `daemon: ${JSON.stringify({ tokens })}`);
  const token = { name: 'airflow', token: '0123456789abcdef', may: 'write', activations: ['crm_*'] };
  parse(yaml({}, `daemon: ${JSON.stringify({ host: '0.0.0.0', tokens: [token] })}`));
  const other = { ...token, name: 'other', token: 'fedcba9876543210' };
  parse(daemon(token, other));
  const faults: [object, RegExp][] = [
    [{ ...other, name: 'airflow' }, /tokens\[1\]\.name is "airflow" again/],
    [{ ...other, token: token.token }, /tokens\[1\]\.token is the one of airflow/],
    [{ ...other, token: 'short' }, /tokens\[1\]\.token is \(hidden\); expected a token of at least/],
    [{ ...other, may: 'all' }, /tokens\[1\]\.may is "all"; expected one of read, preview, write/],
    [{ ...other, activations: ['crm.*'] }, /tokens\[1\]\.activations\[0\] is "crm\.\*"; expected a name/],
    [{ ...other, activations: [] }, /tokens\[1\]\.activations .*at least one/],
  ];
  for (const [fault, message] of faults) assert.match(one(daemon(token, fault)), message);
});

test('allowed hosts are hosts that a request can name, or with tokens any', () => {
  const token = 'tokens: { write: [0123456789abcdef] }';
  parse(yaml({}, `daemon: { ${token}, allowedHosts: ["*"] }`));
  parse(
    yaml({}, 'daemon: { allowedHosts: [sluice, "sluice.example:8443", "10.1.2.3", "[::1]:7345", "::1"] }'),
  );
  assert.match(
    one(yaml({}, 'daemon: { allowedHosts: [sluice, "*"] }')),
    /allowedHosts\[1\] is "\*", but there is no token.*DNS rebinding.*daemon\.tokens/,
  );
  for (const host of ['"*.example.com"', 'https://sluice.example', 'sluice/', '"sluice:http"', 'me@sluice']) {
    assert.match(
      one(yaml({}, `daemon: { ${token}, allowedHosts: [${host}] }`)),
      /allowedHosts\[0\] is .*; expected a host name or address, with a port or without, such as/,
    );
  }
});

test('activations whose names differ in case only are refused', () => {
  const text = `${yaml().trimEnd()}\n  Export: { model: customers, destination: lake, fileName: y, format: { type: csv } }\n`;
  assert.match(one(text), /upper and lower case only/);
});

test('blob properties are checked before a request could fail', () => {
  assert.match(one(yaml({ blob: { metadata: { 'a-b': 'x' } } })), /metadata\.a-b has the name "a-b"/);
  assert.match(one(yaml({ blob: { metadata: { run: 'x' } } })), /which Sluice writes/);
  const tags = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`t${index}`, 'x']));
  assert.match(one(yaml({ blob: { tags } })), /at most 10 tags/);
});
