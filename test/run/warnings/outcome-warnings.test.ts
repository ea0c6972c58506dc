import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { historyFolder } from '../../../src/disk/data-directory.ts';
import { keepRecord } from '../../../src/history/record-files.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { inUnits, rowsChangedWarning } from '../../../src/run/warnings/outcome-warnings.ts';
import { sasExpiry } from '../../../src/sinks/azure/azure-auth.ts';
import { activation } from '../../daemon/support/activations.ts';
import { type Exporter, withExporter } from '../../support/exporter.ts';

const DAY = 86_400_000;

const codes = ({ warnings }: RunRecord): string[] => warnings.map(({ code }) => code);

function makeTable(exporter: Exporter, rows: number): Promise<unknown> {
  return exporter.database.sql(
    `drop table if exists t; create table t as select i as id, 'n' || i as name from generate_series(1, ${rows}) i`,
  );
}

test('an empty source is warned of where that is asked for, in the record and in the manifest', () =>
  withExporter(async exporter => {
    await makeTable(exporter, 0);
    const { record: silent } = await exporter.run(exporter.activation({}));
    assert.deepEqual(silent.warnings, []);
    const { record } = await exporter.run(exporter.activation({ warnings: { emptyResult: true } }));
    assert.deepEqual(record.warnings, [
      { code: 'EMPTY_RESULT', message: 'the source of exported returned no rows' },
    ]);
    assert.deepEqual((await exporter.manifest('exported'))['warnings'], record.warnings);
  }));

test('a run that is held for an empty source warns of that too', () =>
  withExporter(async exporter => {
    const settings = { runType: 'full_then_delta', syncMode: 'upsert', warnings: { emptyResult: true } };
    await makeTable(exporter, 5);
    await exporter.run(exporter.activation(settings));
    await makeTable(exporter, 0);
    const { record } = await exporter.run(exporter.activation(settings));
    assert.equal(record.state, 'held');
    assert.deepEqual(codes(record), ['EMPTY_RESULT', 'HELD']);
  }));

test('fewer or more rows than in the last run that read everything are warned of, over the limit only', () =>
  withExporter(async exporter => {
    const warnings = { rowsDroppedOver: '20%', rowsSpikedOver: '50%' };
    const run = async (rows: number): Promise<RunRecord> => {
      await makeTable(exporter, rows);
      return (await exporter.run(exporter.activation({ warnings }))).record;
    };
    assert.deepEqual(codes(await run(100)), []);
    assert.deepEqual(codes(await run(80)), []);
    assert.deepEqual((await run(63)).warnings, [
      {
        code: 'ROWS_DROPPED',
        message: 'the source returned 63 rows, and 80 in the last run: over 20 % fewer',
      },
    ]);
    // A run that fails is nothing to compare with.
    await exporter.run(exporter.activation({ warnings, sql: 'select nothing' }));
    assert.deepEqual(codes(await run(94)), []);
    assert.deepEqual(codes(await run(142)), ['ROWS_SPIKED']);
    assert.deepEqual(codes(await run(142)), []);
  }));

test('a run is not compared with one of a clock that was ahead', () =>
  withExporter(async exporter => {
    const warnings = { rowsDroppedOver: '20%' };
    await makeTable(exporter, 1000);
    const activation = exporter.activation({ warnings });
    const { record } = await exporter.run(activation);
    const folder = historyFolder(activation.dataDirectory, activation.name);
    await keepRecord(folder, { ...record, run: `2999${record.run.slice(4)}` });
    await rm(join(folder, `${record.run}.json`));
    await makeTable(exporter, 10);
    assert.deepEqual(codes((await exporter.run(activation)).record), []);
  }));

test('a run that found its file there is neither empty nor compared', () =>
  withExporter(async exporter => {
    const settings = { ifExists: 'skip', warnings: { rowsDroppedOver: '20%', emptyResult: true } };
    await makeTable(exporter, 10);
    await exporter.run(exporter.activation(settings));
    const { record } = await exporter.run(exporter.activation(settings));
    assert.deepEqual(codes(record), ['EXISTS_SKIPPED']);
    const { record: next } = await exporter.run(exporter.activation({ ...settings, ifExists: 'overwrite' }));
    assert.deepEqual(codes(next), []);
  }));

test('removals over the limit are warned of where they are allowed, and held where they are not', () =>
  withExporter(async exporter => {
    const settings = {
      runType: 'full_then_delta',
      syncMode: 'difference',
      fileName: '{run}',
      warnings: { removedRowsOver: '20%' },
    };
    await makeTable(exporter, 10);
    await exporter.run(exporter.activation(settings));
    await makeTable(exporter, 7);
    const { record: held } = await exporter.run(exporter.activation(settings));
    assert.deepEqual(codes(held), ['HELD']);
    const { record } = await exporter.run(exporter.activation(settings), { allowRemovals: true });
    assert.deepEqual(record.warnings, [
      {
        code: 'REMOVALS_OVER',
        message: 'removals are allowed, and the run removes 3 of 10 rows (30.0 %)',
      },
    ]);
  }));

test('a run that takes longer than it may says so, whether it works or not', () =>
  withExporter(async exporter => {
    await makeTable(exporter, 3);
    let now = Date.parse('2026-06-01T00:00:00Z');
    // Each look at the clock is 40 minutes later than the one before.
    const later = (): Date => {
      now += 40 * 60_000;
      return new Date(now);
    };
    const clock = { now: later, sleep: async () => {} };
    const warnings = { durationOver: '30m' };
    const { record } = await exporter.run(exporter.activation({ warnings }), { clock });
    assert.equal(record.state, 'succeeded');
    assert.deepEqual(codes(record), ['SLOW_RUN']);
    const { record: failed } = await exporter.run(exporter.activation({ warnings, sql: 'select nothing' }), {
      clock,
    });
    assert.equal(failed.state, 'failed');
    assert.deepEqual(codes(failed), ['SLOW_RUN']);
    const { record: quick } = await exporter.run(exporter.activation({ warnings }));
    assert.deepEqual(codes(quick), []);
  }));

test('a SAS token that expires soon is warned of at each run', () =>
  withExporter(async exporter => {
    await makeTable(exporter, 3);
    const { container } = exporter;
    const destination = (expiresInMs: number): Record<string, unknown> => ({
      accountUrl: container.accountUrl,
      auth: { sasToken: container.sas('racwdl', new Date(Date.now() + expiresInMs)) },
    });
    const { record } = await exporter.run(exporter.activation({ destination: destination(6 * DAY) }));
    assert.equal(record.state, 'succeeded');
    assert.equal(record.warnings.length, 1);
    assert.match(record.warnings[0]!.message, /^the SAS token of lake expires at 20\d\d-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual((await exporter.manifest('exported'))['warnings'], record.warnings);
    const { record: far } = await exporter.run(exporter.activation({ destination: destination(8 * DAY) }));
    assert.deepEqual(far.warnings, []);
    const never = { destination: destination(6 * DAY), warnings: { sasExpiresWithin: 0 } };
    assert.deepEqual((await exporter.run(exporter.activation(never))).record.warnings, []);
  }));

test('the expiry of a SAS token is found in a connection string too, and nowhere else', () => {
  const sas = 'sv=2024-11-04&sp=rw&se=2027-03-01T00:00:00Z&sig=abc';
  const address = { accountUrl: 'https://a.blob.core.windows.net', container: 'exports' };
  const expiry = (auth: Parameters<typeof sasExpiry>[0]['auth']): string | undefined =>
    sasExpiry({ ...address, auth })?.toISOString();
  const secret = (text: string): never => ({ reveal: () => text }) as never;
  assert.equal(expiry({ sasToken: secret(`?${sas}`) }), '2027-03-01T00:00:00.000Z');
  const connectionString = `BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=${sas}`;
  assert.equal(expiry({ connectionString: secret(connectionString) }), '2027-03-01T00:00:00.000Z');
  assert.equal(expiry({ sasToken: secret('sv=1&si=policy&sig=abc') }), undefined);
  assert.equal(expiry({ sasToken: secret('no token') }), undefined);
  assert.equal(expiry({ connectionString: secret('AccountName=a;AccountKey=abc=') }), undefined);
  assert.equal(expiry({ connectionString: secret('nonsense') }), undefined);
  assert.equal(expiry({ identity: 'default' }), undefined);
});

test('exactly the limit is not over it, and rows after none are a spike', () => {
  const limited = activation('a', { warnings: { rowsDroppedOver: '10%', rowsSpikedOver: '0%' } });
  const code = (read: number, previous: number): string | undefined =>
    rowsChangedWarning(limited, read, previous)?.code;
  assert.deepEqual(
    [code(90, 100), code(89, 100), code(100, 100), code(101, 100), code(1, 0), code(0, 0), code(0, 1)],
    [undefined, 'ROWS_DROPPED', undefined, 'ROWS_SPIKED', 'ROWS_SPIKED', undefined, 'ROWS_DROPPED'],
  );
});

test('durations are told in the two largest units', () => {
  const shown = [999, 1000, 61_000, 3_900_000, 90_061_000, 172_800_000].map(inUnits);
  assert.deepEqual(shown, ['999ms', '1s', '1m 1s', '1h 5m', '1d 1h', '2d']);
});
