import assert from 'node:assert/strict';
import test from 'node:test';
import { resolveActivation } from '../../../../src/config/activation.ts';
import type { NoteCode } from '../../../../src/config/schema/note-kinds.ts';
import type { Column, ColumnKind } from '../../../../src/row-batch.ts';
import { activationNotes } from '../../../../src/run/validation/notes/activation-notes.ts';
import { configurationNotes } from '../../../../src/run/validation/notes/configuration-notes.ts';
import { parse, yaml } from '../../../config/support.ts';

function column(name: string, kind: ColumnKind = 'text'): Column {
  return { name, source: name, kind, sourceType: kind };
}

const ID = column('id', 'int64');

function notesOf(activation: Record<string, unknown>, columns: readonly Column[] = [], more = ''): string[] {
  const { config } = parse(yaml(activation, more));
  return activationNotes(resolveActivation(config, 'export'), columns).map(
    ({ code, message, hint }) => `${code}: ${message}; ${hint}`,
  );
}

function codesOf(
  activation: Record<string, unknown>,
  columns: readonly Column[] = [],
  more = '',
): NoteCode[] {
  return notesOf(activation, columns, more).map(text => text.split(':')[0] as NoteCode);
}

const FORMATS = ['parquet', 'csv', 'json', 'xml'].map(type => ({ type }));

test('names that readers refuse are noted in every format that writes them', () => {
  for (const format of FORMATS) {
    for (const name of [
      'last name',
      'a=b;c',
      '?column?',
      'two\nlines',
      'a.b',
      '1st',
      '_CHANGE_TYPE',
      'e-mail',
      '_TABLE_x',
    ]) {
      assert.deepEqual(
        codesOf({ format }, [ID, column(name)]),
        ['COLUMN_NAME_REFUSED'],
        `${format.type} ${name}`,
      );
    }
    for (const name of ['last_name', 'Größe', '名前', '_private', 'change_type', 'x1'])
      assert.deepEqual(codesOf({ format }, [ID, column(name)]), [], `${format.type} ${name}`);
  }
  assert.deepEqual(codesOf({ format: { type: 'csv', header: false } }, [ID, column('last name')]), []);
  const [text] = notesOf({ format: { type: 'parquet' } }, [ID, column('last name'), column('a=b')]);
  assert.match(
    text ?? '',
    /columns "last name" and "a=b" are not plain names .*Spark.*BigQuery.*; give the column another name/,
  );
});

test('names that differ in upper and lower case only are noted', () => {
  for (const format of FORMATS) {
    const [text, ...others] = notesOf({ format }, [ID, column('Email'), column('email'), column('name')]);
    assert.match(text ?? '', /^COLUMN_NAMES_DIFFER_IN_CASE: columns "Email" and "email" differ/);
    assert.deepEqual(others, []);
  }
});

test('a mapping tells the names without the source', () => {
  const mapping = ['id', { from: 'b', to: 'last name' }];
  assert.deepEqual(codesOf({ mapping }), ['COLUMN_NAME_REFUSED']);
  assert.deepEqual(codesOf({ mapping: ['x'] }), ['COLUMN_ALONE_NULL']);
});

test('one column that may be NULL is noted where its rows become empty lines', () => {
  const x = [column('x')];
  assert.deepEqual(codesOf({}, x), ['COLUMN_ALONE_NULL']);
  assert.deepEqual(codesOf({ format: { type: 'csv', quote: 'always' } }, x), ['COLUMN_ALONE_NULL']);
  assert.deepEqual(codesOf({ format: { type: 'csv', nullText: '\\N' } }, x), []);
  assert.deepEqual(codesOf({ format: { type: 'json' } }, x), []);
  assert.deepEqual(codesOf({}, [ID]), [], 'the key is never NULL');
  assert.deepEqual(codesOf({}, [ID, column('x')]), []);

  // What the hint shows stands in the file as it is: in double quotes YAML takes `\N` for
  // a line break.
  const [text = ''] = notesOf({}, x);
  const shown = /format\.nullText, such as (\S+),/.exec(text)?.[1];
  const file = yaml({ format: { type: 'csv', nullText: '?' } }).replace('"?"', () => shown ?? '');
  const { format } = resolveActivation(parse(file).config, 'export');
  assert.equal((format as { nullText?: string }).nullText, '\\N');
});

test('a file that begins with ID is noted', () => {
  const columns = [column('ID'), column('n')];
  assert.deepEqual(codesOf({}, columns), ['COLUMN_FIRST_ID']);
  assert.deepEqual(codesOf({ format: { type: 'csv', escapeFormulas: true } }, columns), ['COLUMN_FIRST_ID']);
  assert.deepEqual(codesOf({}, [column('IDENT'), column('n')]), ['COLUMN_FIRST_ID']);
  for (const options of [{ bom: true }, { quote: 'always' }, { quote: 'nonNumeric' }, { header: false }])
    assert.deepEqual(codesOf({ format: { type: 'csv', ...options } }, columns), [], JSON.stringify(options));
  assert.deepEqual(codesOf({}, [column('Id'), column('n')]), []);
  assert.deepEqual(codesOf({}, [column('n'), column('ID')]), []);
  assert.deepEqual(codesOf({ format: { type: 'json' } }, columns), []);
});

test('uuid and time are noted in Parquet', () => {
  const columns = [ID, column('u', 'uuid'), column('t', 'time'), column('v', 'uuid')];
  const notes = notesOf({ format: { type: 'parquet' } }, columns);
  assert.equal(notes.length, 2);
  assert.match(
    notes[0] ?? '',
    /^PARQUET_TYPE_UNSUPPORTED: columns "u", "v" are written as uuid: .*; set format\.uuid: text/,
  );
  assert.match(notes[1] ?? '', /column "t" is written as time: Spark.*; set format\.time: text/);
  const text = { format: { type: 'parquet', uuid: 'text', time: 'text' } };
  assert.deepEqual(codesOf(text, columns), []);
  assert.deepEqual(codesOf({ format: { type: 'csv' } }, columns), []);
});

test('an ending that is doubled is noted', () => {
  const doubled: [string, Record<string, unknown>, string][] = [
    ['x/orders.txt', { type: 'csv' }, 'orders.txt.csv'],
    ['orders.tsv', { type: 'csv' }, 'orders.tsv.csv'],
    ['orders.jsonl', { type: 'json', layout: 'lines' }, 'orders.jsonl.ndjson'],
    ['orders.json', { type: 'json', layout: 'lines' }, 'orders.json.ndjson'],
    ['{YYYY}.csv.zip', { type: 'csv' }, '.csv.zip.csv'],
    ['orders.gz', { type: 'csv', compression: 'gzip' }, 'orders.gz.csv.gz'],
  ];
  for (const [fileName, format, written] of doubled) {
    const [text = '', ...others] = notesOf({ fileName, format });
    assert.ok(text.startsWith('FILE_NAME_ENDING: ') && text.includes(`"${written}"`), text);
    assert.deepEqual(others, []);
  }
  for (const fileName of [
    'orders',
    'orders.csv',
    'orders.CSV',
    'orders.v2',
    'www.example.com',
    'txt',
    '{run}',
  ])
    assert.deepEqual(codesOf({ fileName }), [], fileName);
});

test('a schedule that is never due is noted', () => {
  const schedule = [{ cron: '0 0 30 2 *' }, { cron: '0 0 29 2 *' }, { every: '1h' }];
  const [text, ...others] = notesOf({ schedule });
  assert.match(text ?? '', /^SCHEDULE_NEVER_DUE: the schedule "0 0 30 2 \*" is never due/);
  assert.deepEqual(others, []);
});

test('deltas that follow one another under the same name are noted', () => {
  const delta = { runType: 'full_then_delta', syncMode: 'upsert', model: 'customers' };
  const day = 'daily/{YYYY}-{MM}-{DD}';
  const repeated: [string, object[], RegExp][] = [
    [day, [{ every: '15m' }], /\(every 15m\)/],
    ['{YYYY}{MM}{DD}T{HH}-{kind}', [{ every: '40m' }], /\(every 40m\)/],
    ['customers', [], /gives every run the same name/],
    ['customers-{kind}-{activation}', [{ every: '1h' }], /gives every run the same name/],
    [day, [{ cron: '0 7,19 * * *' }], /more than one hour, and the name has no \{HH\}/],
    [`${day}T{mm}`, [{ cron: '0 * * * *' }], /more than one hour/],
    [`${day}T{HH}`, [{ cron: '*/15 7 * * *' }], /more than one minute/],
    ['{YYYY}-{MM}', [{ cron: '0 7 * * mon' }], /more than one day/],
    ['{YYYY}', [{ cron: '0 7 1 * *' }], /more than one month/],
  ];
  for (const [fileName, schedule, why] of repeated) {
    const [text = '', ...others] = notesOf({ ...delta, fileName, schedule });
    assert.match(text, /^NAME_REPEATS: .* replaces the one before, whether or not it was read; put \{run\}/);
    assert.match(text, why);
    assert.deepEqual(others, []);
  }
  const good: [string, object[]][] = [
    [day, []],
    [day, [{ every: '24h' }, { cron: '0 7 * * *' }]],
    [`${day}-{run}`, [{ every: '5m' }]],
    ['{x}', [{ every: '1s' }, { cron: '* * * * *' }]],
    [`${day}T{HH}{mm}`, [{ every: '1m' }, { cron: '*/5 * * * *' }]],
    ['{YYYY}-{MM}', [{ cron: '0 7 1 * *' }]],
  ];
  for (const [fileName, schedule] of good)
    assert.deepEqual(codesOf({ ...delta, fileName, schedule }), [], fileName);
  const fixed = { ...delta, fileName: 'customers', schedule: [{ every: '5m' }] };
  assert.deepEqual(codesOf({ ...fixed, runType: 'full_only' }), []);
  assert.deepEqual(codesOf({ ...fixed, syncMode: 'insert', ifExists: 'append' }), []);
  assert.deepEqual(codesOf({ ...fixed, ifExists: 'skip' }), []);
});

test('a code that is ignored is left out: by the activation, or everywhere', () => {
  const columns = [column('ID'), column('last name')];
  assert.deepEqual(codesOf({}, columns), ['COLUMN_NAME_REFUSED', 'COLUMN_FIRST_ID']);
  assert.deepEqual(codesOf({ notes: { ignore: ['COLUMN_FIRST_ID'] } }, columns), ['COLUMN_NAME_REFUSED']);
  const everywhere = 'notes: { ignore: [COLUMN_NAME_REFUSED] }';
  assert.deepEqual(codesOf({ notes: { ignore: ['COLUMN_FIRST_ID'] } }, columns, everywhere), []);
});

const MIB = 1024 ** 2;

test('memory that does not add up is noted', () => {
  const notes = (daemon: string, machineMib: number, activation = {}): string[] => {
    const loaded = parse(yaml(activation, daemon));
    return configurationNotes(loaded, machineMib * MIB).map(({ code, message }) => `${code}: ${message}`);
  };
  const [text, ...others] = notes('daemon: { runMemory: 4GiB }', 3072);
  assert.match(
    text ?? '',
    /^MEMORY_EXCEEDED: 2 runs at a time of 4096 MiB each, beside the 256 MiB of the daemon, are more than the 3072 MiB/,
  );
  assert.deepEqual(others, []);
  assert.deepEqual(notes('daemon: { runMemory: 4GiB }', 8192 + 256), []);
  assert.match(notes('daemon: { runMemory: 4GiB }', 8192)[0] ?? '', /^MEMORY_EXCEEDED: 2 runs/);
  assert.deepEqual(notes('', 3072), [], 'the default follows the machine');
  assert.deepEqual(notes('daemon: { concurrency: 16, runMemory: 256MiB }', 4096 + 256), []);
  assert.match(notes('daemon: { concurrency: 256 }', 3072)[0] ?? '', /^MEMORY_EXCEEDED: 256 runs/);
  assert.deepEqual(notes('notes: { ignore: [MEMORY_EXCEEDED] }\ndaemon: { concurrency: 256 }', 3072), []);
  const delta = { runType: 'full_then_delta', syncMode: 'upsert' };
  assert.match(
    notes('daemon: { runMemory: 1GiB }', 8192, { ...delta, stateMemory: '2GiB' })[0] ?? '',
    /^MEMORY_EXCEEDED: a run of export may take up to 2188 MiB .* has 1024 MiB/,
  );
  const [large, ...more] = notes('daemon: { runMemory: 1GiB }', 8192, { blockSize: '200MiB' });
  assert.match(large ?? '', /^MEMORY_EXCEEDED: a run of export may take up to 1100 MiB .* has 1024 MiB/);
  assert.deepEqual(more, []);
  assert.deepEqual(notes('daemon: { runMemory: 1GiB }', 8192, { blockSize: '180MiB' }), []);
  const [readers] = notes('daemon: { runMemory: 1GiB }', 8192, { parallel: 19 });
  assert.match(readers ?? '', /^MEMORY_EXCEEDED: a run of export may take up to 1052 MiB/);
  assert.deepEqual(notes('daemon: { runMemory: 1GiB }', 8192, { parallel: 18 }), []);
  assert.deepEqual(notes('daemon: { runMemory: 1GiB }', 8192, { ...delta, parallel: 64 }), []);
  const parts = { ...delta, syncMode: 'difference', blockSize: '100MiB', stateMemory: '300MiB' };
  assert.match(
    notes('daemon: { runMemory: 1GiB }', 8192, parts)[0] ?? '',
    /^MEMORY_EXCEEDED: a run of export may take up to 1100 MiB/,
  );
});
