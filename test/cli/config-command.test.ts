import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLine } from './command-line.ts';

const BASE = `version: 1
sources:
  shop: { type: postgres, host: db.example.com, user: reader, password: "\${CANARY_WORD_PASSWORD}", database: shop }
destinations:
  lake:
    type: azure-blob
    accountUrl: https://acme.blob.core.windows.net
    container: exports
    auth: { sasToken: "sv=2025-01-05&sr=c&sp=rwd&se=2099-01-01T00:00:00Z&sig=canary%2Bsignature" }
`;
const REST = `models:
  orders:
    source: shop
    sql: |
      select id, total
      from orders
    primaryKey: [id]
segments: { french: { model: orders, where: "country = 'FR'" } }
activations:
  orders_to_lake:
    segment: french
    destination: lake
    fileName: "\${CANARY_PREFIX:-orders}/{YYYY}"
    format: { type: csv, delimiter: ";" }
    maxFileSize: 1GiB
    runType: full_then_delta
    syncMode: upsert
    mapping: [id, { from: total, to: amount }]
    warnings: { removedRowsOver: 20%, sasExpiresWithin: 7d }
    schedule: [{ every: 15m }]
`;

test('config shows each value of an activation with file and line, and hides secrets', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'a.yaml'), BASE);
  writeFileSync(join(folder, 'b.yaml'), REST);
  const of = (...args: string[]) => commandLine(['--config', folder, 'config', ...args]);
  const { code, out, err } = await of('orders_to_lake');
  assert.deepEqual([code, err], [0, '']);
  const line = (pattern: RegExp): void => assert.match(out, pattern);
  line(/^activations\.orders_to_lake\n {2}segment +french +\S*b\.yaml:11$/m);
  line(/^ {2}fileName +orders\/\{YYYY\} +\S*b\.yaml:13 from CANARY_PREFIX$/m);
  line(/^ {2}format\.delimiter +; +\S*b\.yaml:14$/m);
  line(/^ {2}format\.header +true +default$/m);
  line(/^ {2}maxFileSize +1\.0 GiB +\S*b\.yaml:15$/m);
  line(/^ {2}mapping\[0\]\.from +id +\S*b\.yaml:18$/m);
  line(/^ {2}mapping\[1\]\.to +amount +\S*b\.yaml:18$/m);
  line(/^ {2}warnings\.removedRowsOver +20% +\S*b\.yaml:19$/m);
  line(/^ {2}warnings\.sasExpiresWithin +7d +\S*b\.yaml:19$/m);
  line(/^ {2}schedule\[0\]\.every +15m +\S*b\.yaml:20$/m);
  line(/^ {2}overlap +skip +default$/m);
  line(/^segments\.french$/m);
  line(
    /^models\.orders\n {2}source +shop +\S*b\.yaml:3\n {2}sql +select id, total from orders +\S*b\.yaml:4\n/m,
  );
  line(/^ {2}password +\(hidden\) +\S*a\.yaml:3 from CANARY_WORD_PASSWORD$/m);
  line(/^ {2}auth\.sasToken +\(hidden\) +\S*a\.yaml:9$/m);
  line(/^dataDirectory\n {2}dataDirectory +\S+\.sluice +default$/m);
  assert.doesNotMatch(out, /canary%2B|signature|address/);

  const [described] = (await of('orders_to_lake', '--json')).json<{ values: object[] }>();
  assert.ok(described?.values.some(value => JSON.stringify(value).includes('"key":"models.orders.sql"')));
  assert.doesNotMatch(JSON.stringify(described), /canary%2B|signature/);
  const unknown = await of('orders_to_lak');
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /did you mean orders_to_lake\?/);
});
