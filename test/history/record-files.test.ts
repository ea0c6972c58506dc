import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { runCommandLine } from '../../src/cli/program.ts';
import { Terminal } from '../../src/cli/terminal/terminal.ts';
import { findRun, listRuns } from '../../src/history/record-files.ts';
import { NO_COUNTS, type RunRecord } from '../../src/history/run-record.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command line, in this process, with what it prints. */
async function command(exporter: Exporter, ...args: string[]): Promise<Printed> {
  const printed = { out: '', err: '' };
  const into = (key: 'out' | 'err') => ({
    write: (text: string, done?: () => void): boolean => {
      printed[key] += text;
      done?.();
      return true;
    },
  });
  const path = join(exporter.dataDirectory, 'sluice.yaml');
  const code = await runCommandLine(['--config', path, ...args], new Terminal(into('out'), into('err')));
  const { accountKey } = exporter.container;
  for (const text of Object.values(printed))
    for (const secret of [accountKey, encodeURIComponent(accountKey)])
      assert.ok(!text.includes(secret), 'a secret was printed');
  return { code, ...printed };
}

async function configure(exporter: Exporter): Promise<void> {
  const { connectionString, container } = exporter.container;
  const common = { model: 'm', destination: 'lake', format: { type: 'csv' } };
  const config = {
    version: 1,
    dataDirectory: './data',
    sources: { db: { type: 'postgres', url: exporter.database.url } },
    destinations: { lake: { type: 'azure-blob', container, auth: { connectionString } } },
    models: { m: { source: 'db', sql: 'select * from t', primaryKey: ['id'] } },
    activations: {
      whole: { ...common, fileName: 'whole' },
      delta: { ...common, fileName: 'delta/{run}', runType: 'full_then_delta', syncMode: 'upsert' },
    },
  };
  await writeFile(join(exporter.dataDirectory, 'sluice.yaml'), JSON.stringify(config));
  await exporter.database.sql(`create table t (id int primary key, name text);
    insert into t select i, 'n' || i from generate_series(1, 50) i`);
}

function recordsOf({ out }: Printed): RunRecord[] {
  return out
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as RunRecord);
}

test('runs lists the newest first, of all activations or one, and show tells one of them', () =>
  withExporter(async exporter => {
    await configure(exporter);
    assert.deepEqual(await command(exporter, 'runs'), { code: 0, out: 'no runs yet\n', err: '' });
    for (const name of ['whole', 'delta', 'delta'])
      assert.equal((await command(exporter, 'run', name)).code, 0);
    const all = recordsOf(await command(exporter, 'runs', '--json'));
    assert.deepEqual(
      all.map(({ activation, full }) => [activation, full]),
      [
        ['delta', false],
        ['delta', true],
        ['whole', true],
      ],
    );
    const runs = all.map(({ run }) => run);
    assert.deepEqual([...runs].sort().reverse(), runs);
    assert.equal(recordsOf(await command(exporter, 'runs', 'delta', '--json')).length, 2);
    const table = await command(exporter, 'runs', '--limit', '2');
    assert.equal(table.out.trimEnd().split('\n').length, 3);
    assert.match(table.out, /^run +activation +state +kind/);
    assert.match(table.err, /older ones/);

    const shown = await command(exporter, 'show', runs[1]!);
    assert.match(shown.out, /delta: succeeded .*generation 1/);
    assert.match(shown.out, /delta\/.*\.csv +50/);
    assert.deepEqual(recordsOf(await command(exporter, 'show', runs[1]!, '--json')), [all[1]]);
    for (const wrong of ['20250414-070000-123-k3f9ab', '../../secret'])
      assert.equal((await command(exporter, 'show', wrong)).code, 2);
    assert.equal((await command(exporter, 'runs', 'nobody')).code, 2);
  }));

test('a record that was cut off is left out of the list and refused by name', () =>
  withExporter(async exporter => {
    const { dataDirectory } = exporter;
    const folder = join(dataDirectory, 'activations', 'a', 'history');
    await mkdir(folder, { recursive: true });
    const run = '20250414-070000-123-k3f9ab';
    await writeFile(join(folder, `${run}.json`), '{"run":');
    await writeFile(join(folder, 'notes.txt'), 'no record');
    const good = '20250414-070000-122-k3f9ab';
    await writeFile(
      join(folder, `${good}.json`),
      JSON.stringify({ run: good, files: [], counts: NO_COUNTS }),
    );
    const { records, unreadable } = await listRuns({ dataDirectory, limit: 10 });
    assert.deepEqual([records.map(record => record.run), unreadable.length], [[good], 1]);
    for (const content of [
      '{"run":',
      'null',
      '{"version":1}',
      JSON.stringify({ run, files: [null], counts: NO_COUNTS }),
      JSON.stringify({ run, files: [], counts: { read: 'many' } }),
      JSON.stringify({ run, files: [], counts: NO_COUNTS, warnings: [null] }),
      JSON.stringify({ run, files: [], counts: NO_COUNTS, startedAt: 5 }),
      JSON.stringify({ run, files: [], counts: NO_COUNTS, error: 'x' }),
    ]) {
      await writeFile(join(folder, `${run}.json`), content);
      const message = new RegExp(`${run}.json is not a record of a run`);
      await assert.rejects(findRun(dataDirectory, run), { code: 'STATE_DAMAGED', message });
    }
  }));

test('verify prints a line a file, says what is wrong with exit code 1, and speaks JSON', () =>
  withExporter(async exporter => {
    await configure(exporter);
    const [record] = recordsOf(await command(exporter, 'run', 'whole', '--json'));
    const good = await command(exporter, 'verify', record!.run);
    assert.equal(good.code, 0);
    assert.match(good.out, /^ok +whole\.csv: 50 rows, .*\nwhole: run .* is good \(1 file\)\n$/);
    await exporter.container.client.getBlockBlobClient('whole.csv').upload('id,name\n1,x\n', 12);
    const bad = await command(exporter, 'verify', record!.run, 'whole');
    assert.equal(bad.code, 1);
    assert.match(
      bad.out,
      /^FAIL +whole\.csv: CHANGED .*; BYTES .*; CRC64 .*; SHA256 .*; ROWS it has 1 rows, not 50\n/,
    );
    const [json] = recordsOf(await command(exporter, 'verify', record!.run, '--json')) as unknown as [
      { ok: boolean; files: { findings: { code: string }[] }[] },
    ];
    assert.deepEqual([json.ok, json.files[0]!.findings[0]!.code], [false, 'CHANGED']);
    assert.equal((await command(exporter, 'verify', 'latest')).code, 2);
    assert.equal((await command(exporter, 'verify', '20250414-070000-123-k3f9ab')).code, 2);
    const named = await command(exporter, 'verify', '20250414-070000-123-k3f9ab', 'whole');
    assert.deepEqual([named.code, /MANIFEST_MISSING/.test(named.out)], [1, true]);
  }));

test('state is shown, backed up, reset and restored by the command; reset wants --yes where nobody can be asked', () =>
  withExporter(async exporter => {
    await configure(exporter);
    assert.match(
      (await command(exporter, 'state', 'show', 'delta')).out,
      /no baseline \(the next run exports every row\)/,
    );
    assert.match((await command(exporter, 'state', 'show', 'whole')).out, /full_only keeps none/);
    assert.equal((await command(exporter, 'state', 'backup', 'delta')).code, 2);
    await command(exporter, 'run', 'delta');
    const shown = await command(exporter, 'state', 'show', 'delta');
    assert.match(shown.out, /generation 1[\s\S]*keys +50, key id[\s\S]*digest +[0-9a-f]{16}/);
    assert.match(
      (await command(exporter, 'state', 'backup', 'delta')).out,
      /generation 1 \(50 keys\) is backed up/,
    );
    const refused = await command(exporter, 'state', 'reset', 'delta');
    assert.deepEqual([refused.code, /--yes/.test(refused.err)], [2, true]);
    const reset = await command(exporter, 'state', 'reset', 'delta', '--yes');
    assert.match(reset.out, /generation 1 \(50 keys\) is removed\nthe next run exports every row/);
    const restored = await command(exporter, 'state', 'restore', 'delta');
    assert.match(restored.out, /is restored from backup[\s\S]*the next run is a delta/);
    const [record] = recordsOf(await command(exporter, 'run', 'delta', '--json'));
    assert.deepEqual([record!.full, record!.counts.written], [false, 0]);
    await rm(join(exporter.dataDirectory, 'data'), { recursive: true });
    assert.equal((await command(exporter, 'state', 'restore', 'delta')).code, 1, 'the destination is ahead');
    assert.equal((await command(exporter, 'state', 'nonsense', 'delta')).code, 2);
  }));
