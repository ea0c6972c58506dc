import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { sluice, startSluice } from './support.ts';

/**
 * Nothing of a demo leaves the machine, so proxies that do not answer are in nobody's
 * way.
 */
const DEAD_PROXIES = {
  HTTP_PROXY: 'http://127.0.0.1:9',
  HTTPS_PROXY: '127.0.0.1:9',
  ALL_PROXY: '::::',
};

test('the demo exports sample data in every way, can be used while it is kept, and leaves nothing', async () => {
  const command = startSluice(['demo', '--keep'], { cwd: tmpdir(), env: DEAD_PROXIES });
  await command.until(/Ctrl-C stops them/);
  const kept = command.printed().stdout;
  const config = / --config (\S+)/.exec(kept)?.[1] ?? '';
  assert.ok(existsSync(config));
  await runWhileKept(config);
  command.kill('SIGINT');
  const { code, stdout, stderr } = await command.ended;
  assert.equal(code, 0, stderr);
  assert.equal(existsSync(path.dirname(config)), false);

  assert.match(stdout, /sluice run as_csv {2}3,000 rows read \(3,000 added\), 3,000 written/);
  assert.match(stdout, /│ 9007199254740993,"O'Neil, Shaun","two\n/);
  assert.match(stdout, /│ lines",12345678901234567\.0001,DE,true,2025-04-14T07:00:01\.123456Z\n/);
  assert.match(
    stdout,
    /run as_json .*\n.*\n.*customers\.json .*\n +│ \[\n +│ \{"id":9007199254740993,"name":"O'Neil/,
  );
  assert.match(
    stdout,
    /run as_ndjson .*\n.*\n.*customers\.ndjson .*\n +│ \{"id":9007199254740993,"name":"O'Neil/,
  );
  assert.match(stdout, /run as_xml .*\n.*\n.*customers\.xml .*\n +│ <\?xml version="1\.0"/);
  assert.match(
    stdout,
    /customers\.parquet .*\n +│ 3000 rows in 1 row group, as hyparquet reads it:\n +│ id +INT64/,
  );
  assert.match(stdout, /│ balance +FIXED_LEN_BYTE_ARRAY DECIMAL \(scale 4, precision 24\)\n/);
  assert.match(stdout, /│ updated_at +INT64 TIMESTAMP \(isAdjustedToUTC true, unit MICROS\)\n/);
  assert.match(stdout, /customers\.csv\.gz +3,000 /);
  assert.match(stdout, /customers_part00003\.csv +\d+ /);
  assert.match(stdout, /run upsert .*\(2 added, 3 updated, 2 removed, 2,995 unchanged\), 5 written/);
  assert.match(stdout, /run insert .*\(2 added, 2,998 unchanged\), 2 written/);
  assert.match(stdout, /run difference .*\(2 added, 3 updated, 2 removed, 2,995 unchanged\), 7 written/);
  assert.match(stdout, /customers_removed\.csv +2 /);
  assert.match(stdout, /_sluice\/difference\/latest\.json/);
  assert.ok(!stdout.includes('\u001b'), 'no colours where there is no terminal');
});

async function runWhileKept(config: string): Promise<void> {
  const { code, stdout, stderr } = await sluice(['--config', config, 'run', 'upsert', '--json'], {
    cwd: tmpdir(),
  });
  assert.equal(code, 0, stderr);
  const { counts, generation } = JSON.parse(stdout);
  assert.deepEqual([counts.written, counts.unchanged, generation], [0, 3000, 3]);
}
