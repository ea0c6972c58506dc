/**
 * Consumers take, archive and replace parts of files that runs append to: what was
 * published stays, whatever is left of it.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Level } from 'level';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { readXml } from '../conformance/read-xml.ts';
import { everyNth } from '../support/all-cases.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const APPEND = {
  runType: 'full_then_delta',
  syncMode: 'insert',
  ifExists: 'append',
  fileName: 'log',
};

interface Log {
  readonly exporter: Exporter;
  readonly activation: ResolvedActivation;
  /** Inserts rows up to that id, and runs. */
  readonly upTo: (id: number, settings?: { readonly full?: boolean }) => Promise<RunRecord>;
  /** The ids of each file that is there. */
  readonly there: () => Promise<Record<string, number[]>>;
  /** As a consumer does it that moves a file: reads it, then deletes it. */
  readonly take: (name: string) => Promise<number[]>;
}

const READERS: Record<string, (text: string) => number[]> = {
  csv: text => text.trimEnd().split('\n').slice(1).map(Number),
  ndjson: text =>
    text === ''
      ? []
      : text
          .trimEnd()
          .split('\n')
          .map(line => (JSON.parse(line) as { id: number }).id),
  json: text => (JSON.parse(text) as { id: number }[]).map(({ id }) => id),
  xml: text => readXml(Buffer.from(text)).rows.map(({ fields }) => Number(fields[0]!.text)),
};

function withLog(settings: Record<string, unknown>, act: (log: Log) => Promise<void>): Promise<void> {
  return withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key)');
    const activation = exporter.activation({ ...APPEND, ...settings });
    const idsIn = async (name: string): Promise<number[]> => {
      const bytes = await exporter.container.download(name);
      const extension = name.replace(/\.gz$/, '').split('.').at(-1)!;
      return READERS[extension]!((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString());
    };
    let last = 0;
    await act({
      exporter,
      activation,
      upTo: async (id, { full = false } = {}) => {
        await exporter.database.sql(`insert into t select generate_series(${last + 1}, ${id})`);
        last = id;
        const { record, error } = await exporter.run(activation, { full });
        assert.equal(record.state, 'succeeded', String(error));
        return record;
      },
      there: async () => {
        const names = await exporter.files();
        return Object.fromEntries(await Promise.all(names.map(async name => [name, await idsIn(name)])));
      },
      take: async name => {
        const ids = await idsIn(name);
        await exporter.container.client.deleteBlob(name);
        return ids;
      },
    });
  });
}

const missing = ({ warnings }: RunRecord): string[] =>
  warnings.filter(({ code }) => code === 'APPEND_PART_MISSING').map(({ message }) => message);

/** As an older version left its baseline: nothing in it is about parts. */
async function forgetParts({ dataDirectory, name }: ResolvedActivation): Promise<void> {
  const pages = new Level<string, string>(join(dataDirectory, 'activations', name, 'baseline'));
  const {
    appended,
    crc: _,
    ...state
  } = JSON.parse((await pages.get('m'))!) as {
    appended?: unknown;
    crc?: number;
  };
  assert.ok(appended);
  await pages.put('m', JSON.stringify(state), { sync: true });
  await pages.close();
}

/** As if all parts in between had been taken away. */
async function rename({ container }: Exporter, from: string, to: string): Promise<void> {
  const { metadata } = await container.client.getBlockBlobClient(from).getProperties();
  const bytes = await container.download(from);
  await container.client.getBlockBlobClient(to).upload(bytes, bytes.length, metadata && { metadata });
  await container.client.deleteBlob(from);
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

for (const manifest of everyNth(2, [true, false])) {
  const how = manifest ? 'with manifests' : 'without manifests';

  test(`the first part is taken away, and the later ones stay, ${how}`, () =>
    withLog({ maxFileRows: 5, manifest }, async ({ upTo, there, take }) => {
      await upTo(7);
      await upTo(14);
      await upTo(17);
      await take('log.csv');
      const record = await upTo(18);
      assert.deepEqual(await there(), {
        'log_part00002.csv': [6, 7, 8, 9, 10],
        'log_part00003.csv': [11, 12, 13, 14, 15],
        'log_part00004.csv': [16, 17, 18],
      });
      assert.equal(missing(record).length, 1);
      assert.match(missing(record)[0]!, /^log\.csv, .* is gone: the run goes on in log_part00004\.csv$/);
      assert.deepEqual(missing(await upTo(19)), [], 'a part is reported once');
    }));

  test(`a part in the middle and the last one are taken away, and their numbers are never used again, ${how}`, () =>
    withLog({ maxFileRows: 5, manifest }, async ({ upTo, there, take }) => {
      await upTo(17);
      await take('log_part00002.csv');
      await take('log_part00004.csv');
      const record = await upTo(18);
      assert.match(missing(record)[0]!, /^log_part00002\.csv, log_part00004\.csv, .* are gone/);
      await take('log_part00005.csv');
      await upTo(18);
      await upTo(19);
      assert.deepEqual(await there(), {
        'log.csv': [1, 2, 3, 4, 5],
        'log_part00003.csv': [11, 12, 13, 14, 15],
        'log_part00006.csv': [19],
      });
    }));

  test(`a run with nothing new deletes and writes nothing where parts are gone, ${how}`, () =>
    withLog({ maxFileRows: 2, manifest }, async ({ upTo, there, take }) => {
      await upTo(7);
      for (const name of ['log.csv', 'log_part00004.csv']) await take(name);
      const before = await there();
      const record = await upTo(7);
      assert.deepEqual([record.counts.written, record.files], [0, []]);
      assert.deepEqual(await there(), before);
    }));

  test(`where all parts are gone the run ends as a reset destination says, ${how}`, () =>
    withLog({ maxFileRows: 2, manifest }, async ({ exporter, activation, upTo, there, take }) => {
      await upTo(3);
      const first = await take('log.csv');
      await upTo(3);
      const taken = [...first, ...(await take('log_part00002.csv'))];
      assert.deepEqual(taken, [1, 2, 3]);
      const { record } = await exporter.run(activation);
      assert.equal(record.error?.code, 'DESTINATION_RESET');
      assert.match(record.error.message, /log_part00002\.csv and whatever parts were before it are gone/);
      assert.deepEqual(await there(), {});
      const settings = { ...APPEND, maxFileRows: 2, manifest, onDestinationReset: 'full' };
      const full = await exporter.run(exporter.activation(settings));
      assert.equal(full.record.full, true);
      assert.ok(full.record.warnings.some(({ code }) => code === 'DESTINATION_RESET'));
      assert.deepEqual(await there(), { 'log.csv': [1, 2], 'log_part00002.csv': [3] });
    }));

  test(`an archived part is left as it is, and the next one begins, ${how}`, () =>
    withLog({ manifest }, async ({ exporter, upTo }) => {
      await upTo(3);
      await exporter.container.client.getBlockBlobClient('log.csv').setAccessTier('Archive');
      const record = await upTo(5);
      assert.match(missing(record)[0]!, /^log\.csv is archived, .* goes on in log_part00002\.csv$/);
      assert.deepEqual(await exporter.files(), ['log.csv', 'log_part00002.csv']);
      assert.deepEqual(await exporter.lines('log_part00002.csv'), ['id', '4', '5']);
      assert.deepEqual(missing(await upTo(6)), []);
      assert.deepEqual(await exporter.lines('log_part00002.csv'), ['id', '4', '5', '6']);
    }));

  test(`a full run leaves no part of the file before, whatever gaps are in it, ${how}`, () =>
    withLog({ maxFileRows: 2, manifest }, async ({ exporter, upTo, there, take }) => {
      await upTo(11);
      for (const name of ['log.csv', 'log_part00003.csv', 'log_part00004.csv']) await take(name);
      await exporter.database.sql('delete from t where id > 3');
      await upTo(12, { full: true });
      assert.deepEqual(await there(), { 'log.csv': [1, 2], 'log_part00002.csv': [3, 12] });
      await upTo(13);
      assert.deepEqual((await there())['log_part00003.csv'], [13]);
    }));
}

const FORMATS: [extension: string, settings: Record<string, unknown>][] = [
  ['csv', { format: { type: 'csv' }, maxFileRows: 3 }],
  ['csv.gz', { format: { type: 'csv', compression: 'gzip' }, maxFileRows: 2 }],
  ['ndjson', { format: { type: 'json', layout: 'lines' }, maxFileSize: '1KiB' }],
  ['json', { format: { type: 'json' }, maxFileSize: '1KiB' }],
  ['json.gz', { format: { type: 'json', compression: 'gzip' }, maxFileRows: 3 }],
  ['xml', { format: { type: 'xml' }, maxFileSize: '1KiB' }],
];
for (const [extension, settings] of everyNth(3, FORMATS)) {
  test(`everything that consumers took and what is there is every row once: ${extension}`, () =>
    withLog(settings, async ({ upTo, there, take }) => {
      const step = 'maxFileSize' in settings ? 200 : 5;
      const taken: number[] = [];
      let last = step * 2;
      await upTo(last);
      // Each time another part: the first, one in the middle, the last, none.
      for (const which of [0, 1, -1, undefined, 0, -1]) {
        const names = Object.keys(await there()).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
        assert.ok(names.length > 1);
        const name = which === undefined ? undefined : names.at(which);
        if (name !== undefined) taken.push(...(await take(name)));
        last += step;
        await upTo(last);
      }
      const all = [...taken, ...Object.values(await there()).flat()].sort((a, b) => a - b);
      assert.deepEqual(all, range(1, last));
    }));
}

test('parts that an older version wrote are found behind a gap, and stay', () =>
  withLog({ maxFileRows: 1 }, async ({ activation, upTo, there, take }) => {
    await upTo(6);
    await upTo(6);
    await forgetParts(activation);
    for (const name of ['log.csv', 'log_part00003.csv']) await take(name);
    await upTo(7);
    assert.deepEqual(Object.values(await there()).flat(), [2, 4, 5, 6, 7]);
  }));

test('a name with the day in it begins again without a word when the day is another', () =>
  withLog({ fileName: 'log-{YYYY}-{MM}-{DD}', maxFileRows: 2 }, async ({ exporter, activation, upTo }) => {
    await upTo(3);
    await exporter.database.sql('insert into t values (4)');
    const tomorrow = new Date(Date.now() + 86_400_000);
    const clock = { now: () => tomorrow, sleep: () => Promise.resolve() };
    const { record } = await exporter.run(activation, { clock });
    assert.equal(record.state, 'succeeded');
    assert.deepEqual([missing(record), record.files.map(({ part }) => part)], [[], [1]]);
  }));

test('a published part that is not remembered stays, also behind a gap that is too wide to look over', () =>
  withLog({ maxFileRows: 1, manifest: false }, async ({ activation, upTo, exporter }) => {
    await upTo(2);
    await rename(exporter, 'log_part00002.csv', 'log_part00053.csv');
    await forgetParts(activation);
    // The last new one is the part before it.
    await upTo(53);
    assert.deepEqual(await exporter.lines('log_part00052.csv'), ['id', '53']);
    assert.deepEqual(await exporter.lines('log_part00053.csv'), ['id', '2']);
  }));
