/**
 * Runs append to a file of each partition: each goes on behind the highest of its parts
 * that was published, whatever consumers take away.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { planActivation } from '../../src/run/plan/plan-activation.ts';
import type { BlobStore } from '../../src/sinks/sink.ts';
import { verifyRun } from '../../src/verify/verify-run.ts';
import { readXml } from '../conformance/read-xml.ts';
import { everyNth } from '../support/all-cases.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const { signal } = new AbortController();

interface Log {
  readonly exporter: Exporter;
  readonly activation: ResolvedActivation;
  /** Inserts rows `ID PARTITION`, and runs. */
  readonly add: (rows: readonly string[], settings?: RunSettings) => Promise<RunRecord>;
  /** The ids in each file that is there. */
  readonly there: () => Promise<Record<string, number[]>>;
}

interface RunSettings {
  readonly full?: boolean;
  readonly state?: RunRecord['state'];
  readonly store?: (store: BlobStore) => Partial<BlobStore>;
}

const READERS: Record<string, (text: string) => number[]> = {
  csv: text => text.trimEnd().split('\n').slice(1).map(Number.parseFloat),
  ndjson: text =>
    text
      .trimEnd()
      .split('\n')
      .map(line => (JSON.parse(line) as { id: number }).id),
  json: text => (JSON.parse(text) as { id: number }[]).map(({ id }) => id),
  xml: text => readXml(Buffer.from(text)).rows.map(({ fields }) => Number(fields[0]!.text)),
};

function withLog(settings: Record<string, unknown>, act: (log: Log) => Promise<void>): Promise<void> {
  return withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key, p text)');
    const activation = exporter.activation({
      runType: 'full_then_delta',
      syncMode: 'insert',
      ifExists: 'append',
      partitionBy: ['p'],
      fileName: 'log-{column.p}',
      ...settings,
    });
    await act({
      exporter,
      activation,
      add: async (rows, { full = false, state = 'succeeded', store } = {}) => {
        const values = rows.map(row => row.split(' ')).map(([id, p]) => `(${id}, '${p}')`);
        if (values.length > 0) await exporter.database.sql(`insert into t values ${values.join()}`);
        const { record, error } = await exporter.run(activation, {
          full,
          ...(store && {
            intercept: parts => ({ ...parts, store: storeWith(parts.store, store(parts.store)) }),
          }),
        });
        assert.equal(record.state, state, String(error));
        return record;
      },
      there: async () => {
        const read = (await exporter.files()).map(async name => {
          const text = (await exporter.container.download(name)).toString();
          return [name, READERS[name.split('.').at(-1)!]!(text).sort((a, b) => a - b)] as const;
        });
        return Object.fromEntries(await Promise.all(read));
      },
    });
  });
}

const missing = ({ warnings }: RunRecord): string[] =>
  warnings.filter(({ code }) => code === 'APPEND_PART_MISSING').map(({ message }) => message);

const FORMATS = [{ type: 'csv' }, { type: 'json' }, { type: 'json', layout: 'lines' }, { type: 'xml' }];
const CASES = FORMATS.flatMap(format => [
  { ...format, engine: 'fast' },
  { ...format, engine: 'library' },
]);
for (const format of everyNth(3, CASES)) {
  test(`each partition continues its own parts: ${Object.values(format).join(' ')}`, () =>
    withLog({ format, maxFileRows: 2 }, async ({ exporter, activation, add, there }) => {
      await add(['1 a', '2 b', '3 a', '4 a']);
      const { run } = await add(['5 b', '6 c', '7 a', '8 a']);
      const { ok, findings } = await verifyRun({ activations: [activation], run, signal });
      assert.equal(ok, true, JSON.stringify(findings));
      await add([]);
      await add(['9 c']);
      const [name] = await exporter.files();
      const extension = name!.slice(name!.indexOf('.'));
      const expected = {
        'log-a': [1, 3],
        'log-a_part00002': [4, 7],
        'log-a_part00003': [8],
        'log-b': [2, 5],
        'log-c': [6, 9],
      };
      assert.deepEqual(
        await there(),
        Object.fromEntries(Object.entries(expected).map(([stem, ids]) => [stem + extension, ids])),
      );
    }));
}

test('where a consumer has taken all of one partition, its next part has the next number, and that is reported once', () =>
  withLog({ maxFileRows: 2 }, async ({ exporter, add, there }) => {
    await add(['1 a', '2 a', '3 a', '4 b']);
    for (const name of ['log-a.csv', 'log-a_part00002.csv']) await exporter.container.client.deleteBlob(name);
    assert.deepEqual(missing(await add(['5 b'])), [], 'the run does not write that partition');
    const [message] = missing(await add(['6 a']));
    assert.match(
      message!,
      /^log-a\.csv, log-a_part00002\.csv, .* are gone: the run goes on in log-a_part00003\.csv$/,
    );
    assert.deepEqual(missing(await add(['7 a'])), []);
    await exporter.container.client.deleteBlob('log-a_part00003.csv');
    await add(['8 a', '9 b']);
    assert.deepEqual(await there(), {
      'log-a_part00004.csv': [8],
      'log-b.csv': [4, 5],
      'log-b_part00002.csv': [9],
    });
  }));

test('where nothing is left of any partition the destination was reset', () =>
  withLog({}, async ({ exporter, activation, add, there }) => {
    await add(['1 a', '2 b']);
    await add(['3 c']);
    const take = async (): Promise<void> => {
      for (const name of await exporter.files()) await exporter.container.client.deleteBlob(name);
    };
    await take();
    const { error } = await add(['4 a'], { state: 'failed' });
    assert.equal(error?.code, 'DESTINATION_RESET');
    assert.match(error.message, /log-c\.csv and all other parts are gone, to which runs append/);
    const { record } = await exporter.run({ ...activation, onDestinationReset: 'full' });
    assert.deepEqual([record.state, record.full], ['succeeded', true]);
    assert.deepEqual(await there(), { 'log-a.csv': [1, 4], 'log-b.csv': [2], 'log-c.csv': [3] });
  }));

for (const manifest of [true, false]) {
  test(`a full run leaves no file of a partition that is gone, whichever run wrote it, ${manifest ? 'with' : 'without'} manifests`, () =>
    withLog({ manifest, maxFileRows: 1 }, async ({ exporter, add, there }) => {
      await add(['1 a', '2 b', '3 b', '4 c']);
      await add(['5 c']);
      await add(['6 a']);
      await exporter.database.sql(`delete from t where p = 'b'`);
      await add([], { full: true });
      const rows = {
        'log-a.csv': [1],
        'log-a_part00002.csv': [6],
        'log-c.csv': [4],
        'log-c_part00002.csv': [5],
      };
      assert.deepEqual(await there(), rows);
      // It begins again, whatever was there once.
      assert.deepEqual(missing(await add(['7 b'])), []);
      assert.deepEqual(await there(), { ...rows, 'log-b.csv': [7] });
    }));
}

test('files of a partition that could not be deleted are of an older time when it comes back', () =>
  withLog({}, async ({ exporter, add, there }) => {
    await add(['1 a', '2 b']);
    await exporter.database.sql(`delete from t where p = 'b'`);
    const kept = await add([], { full: true, store: () => ({ deleteBlob: async () => 'unknown' }) });
    assert.ok(kept.warnings.some(({ code }) => code === 'STALE_PARTS_LEFT'));
    await add(['3 b']);
    await add(['4 b']);
    assert.deepEqual(await there(), { 'log-a.csv': [1], 'log-b.csv': [3, 4] });
  }));

test('rows that a withdrawn run could not take back are gone once their partition is written', () =>
  withLog({}, async ({ exporter, add, there }) => {
    await add(['1 a', '2 b']);
    // Its commit to b is refused, and it may not write a again.
    let isRefused = false;
    const withdrawn = await add(['3 a', '4 b'], {
      state: 'failed',
      store: store => ({
        commitBlocks: async (name, ...rest) => {
          if (name === 'log-b.csv')
            await exporter.container.client.getBlockBlobClient(name).upload('foreign', 7);
          isRefused ||= name === 'log-b.csv';
          return store.commitBlocks(name, ...rest);
        },
        head: async name => (isRefused && name === 'log-a.csv' ? undefined : store.head(name)),
      }),
    });
    assert.ok(withdrawn.error);
    assert.deepEqual((await there())['log-a.csv'], [1, 3]);
    await exporter.container.client.deleteBlob('log-b.csv');
    await exporter.database.sql('delete from t where id > 2');
    // Two runs of other partitions, of the generation that the withdrawn one had and of
    // the next.
    await add(['5 c']);
    await add(['6 c']);
    await add(['7 a']);
    assert.deepEqual(await there(), { 'log-a.csv': [1, 7], 'log-c.csv': [5, 6] });
  }));

test('a run looks at the partitions that it writes, and remembers more than a hundred', () =>
  withLog({}, async ({ exporter, add, there }) => {
    await add(Array.from({ length: 130 }, (_, index) => `${index + 1} p${index + 1}`));
    await exporter.container.client.deleteBlob('log-p1.csv');
    const heads = new Set<string>();
    const record = await add(['131 p1', '132 p2'], {
      store: store => ({
        head: name => {
          heads.add(name);
          return store.head(name);
        },
      }),
    });
    assert.match(missing(record)[0]!, /^log-p1\.csv, .* goes on in log-p1_part00002\.csv$/);
    assert.ok(heads.size < 25, `${[...heads]}`);
    const files = await there();
    assert.deepEqual(
      ['log-p1.csv', 'log-p1_part00002.csv', 'log-p2.csv', 'log-p130.csv'].map(name => files[name]),
      [undefined, [131], [2, 132], [130]],
    );
  }));

test('a part is never taken for the file of another partition whose value ends as its number', () =>
  withLog({ maxFileRows: 1 }, async ({ add, there }) => {
    await add(['1 a']);
    await add(['2 a_part00002', '3 b', '4 b']);
    for (const row of ['5 a', '6 b_part00002']) {
      const { error } = await add([row], { state: 'failed' });
      assert.equal(error?.code, 'PARTITION_NAMES_MEET');
      assert.match(
        error.message,
        /^log-._part00002\.csv would be part . of a partition, and is part . of another/,
      );
    }
    const files = {
      'log-a.csv': [1],
      'log-a_part00002.csv': [2],
      'log-b.csv': [3],
      'log-b_part00002.csv': [4],
    };
    assert.deepEqual(await there(), files);
  }));

test('a plan says where the rows of each partition would go, and changes nothing', () =>
  withLog({ maxFileRows: 2 }, async ({ exporter, activation, add, there }) => {
    await add(['1 a', '2 a', '3 b']);
    const before = await there();
    await exporter.database.sql(`insert into t values (4, 'a'), (5, 'b')`);
    const plan = await planActivation({ activation, rows: 1, signal });
    const names = ['log-a_part00002.csv', 'log-b.csv'];
    assert.deepEqual(plan.files.map(({ name }) => name).sort(), names);
    assert.deepEqual(await there(), before);
    assert.deepEqual((await add([])).files.map(({ name }) => name).sort(), names);
  }));
