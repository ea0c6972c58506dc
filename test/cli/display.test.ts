import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gravest } from '../../src/cli/exit-code.ts';
import { describeFailure } from '../../src/cli/failure.ts';
import { displayProgress, liveLine } from '../../src/cli/terminal/progress.ts';
import { formatBytes, formatCount, formatDuration } from '../../src/cli/terminal/quantities.ts';
import { cutToWidth, displayWidth, fittedTableLines, tableLines } from '../../src/cli/terminal/table.ts';
import { Terminal, type TerminalStream } from '../../src/cli/terminal/terminal.ts';
import { shortTypeName } from '../../src/cli/terminal/type-name.ts';
import { Redactor } from '../../src/config/secrets.ts';
import { SluiceError } from '../../src/errors.ts';
import type { RunProgress } from '../../src/run/export-run.ts';

class Screen implements TerminalStream {
  text = '';
  readonly isTTY: boolean;
  columns: number;

  constructor(isTTY: boolean, columns = 80) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  hasColors(): boolean {
    return this.isTTY;
  }

  write(text: string, done?: () => void): boolean {
    this.text += text;
    done?.();
    return true;
  }
}

const READING = {
  phase: 'reading',
  rowsRead: 1_234_567,
  rowsWritten: 1_200_000,
  bytesStaged: 187_300_000,
  blocksStaged: 24,
  part: 2,
} as const;

const NAME = 'slow_wide_customers_with_a_long_name_x';

test('the progress line cuts the name where room is short, and never a number', () => {
  const pace = { elapsedMs: 3_723_000, rowsPerSecond: 540_000.4 };
  const at = (columns: number, name = NAME): string => liveLine(name, READING, { ...pace, columns });
  const numbers = ': reading  1,234,567 rows  540,000/s  178.6 MiB';
  assert.equal(at(200), `1:02:03  ${NAME}${numbers}  1,200,000 written  24 blocks  part 2`);
  assert.equal(at(79), `1:02:03  slow_wide_customers_wi…${numbers}`);
  assert.equal(at(79, 'abc'), `1:02:03  abc${numbers}  1,200,000 written`);
  assert.equal(at(61), `1:02:03  slow…${numbers}`);
  const slices = { count: 16, done: 3, running: 2, workers: 2 };
  const byWorkers = liveLine('abc', { ...READING, slices }, { ...pace, columns: 200 });
  assert.ok(byWorkers.startsWith(`1:02:03  abc${numbers}  3 of 16 slices, 2 being read  1,200,000 written`));
  for (let columns = 60; columns < 130; columns++) {
    assert.ok(at(columns).length <= columns, `${columns}: ${at(columns)}`);
    assert.ok(at(columns).includes(numbers));
  }
  const connecting = { ...READING, phase: 'connecting', connectingTo: 'destination' } as const;
  assert.equal(
    liveLine('abc', { ...connecting, waiting: 'it does not answer' }, { ...pace, columns: 60 }),
    '1:02:03  abc: connecting to the destination',
  );
});

test('a live line that a narrower window has broken is erased whole', () => {
  const err = new Screen(true, 80);
  const terminal = new Terminal(new Screen(true), err);
  terminal.status('x'.repeat(79));
  err.columns = 30;
  terminal.status('short');
  assert.ok(err.text.endsWith('x\r\u001b[2A\u001b[Jshort'), JSON.stringify(err.text));
  terminal.status('');
  assert.ok(err.text.endsWith('short\r\u001b[2K'));
});

test('errors are broken between words on a terminal, and are one line elsewhere', () => {
  const text = `error X: ${'seven77 '.repeat(20)}https://example.com/${'a'.repeat(80)} end`;
  const err = new Screen(true, 60);
  new Terminal(new Screen(true), err).note(text);
  const lines = err.text.trimEnd().split('\n');
  assert.equal(lines[0], 'error X: seven77 seven77 seven77 seven77 seven77 seven77');
  assert.equal(lines[1], '  seven77 seven77 seven77 seven77 seven77 seven77 seven77');
  assert.equal(lines.map(line => line.trim()).join(' '), text);
  assert.ok(lines.every(line => line.length <= 60 || line.includes('https://')));
  const pipe = new Screen(false, 60);
  new Terminal(new Screen(false), pipe).note(text);
  assert.equal(pipe.text, `${text}\n`);
});

test('a table that is wider than the terminal loses its least columns, then cuts names', () => {
  const columns = [
    { title: 'run' },
    { title: 'name', cut: true },
    { title: 'rows', leaveOut: 2 },
    { title: 'bytes', leaveOut: 1 },
    { title: 'error' },
  ];
  const rows = [['20250414', 'a_long_activation', '1,000', '2.0 MiB', 'FAILED']];
  const at = (width: number | undefined): string | undefined => fittedTableLines(columns, rows, width)[1];
  assert.equal(at(undefined), '20250414  a_long_activation  1,000  2.0 MiB  FAILED');
  assert.equal(at(51), '20250414  a_long_activation  1,000  2.0 MiB  FAILED');
  assert.equal(at(45), '20250414  a_long_activation  1,000  FAILED');
  assert.equal(at(36), '20250414  a_long_activation  FAILED');
  assert.equal(at(30), '20250414  a_long_acti…  FAILED');
});

test('on a terminal the progress is one line that is erased, also while something else is printed', t => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const err = new Screen(true, 65);
  const terminal = new Terminal(new Screen(true), err);
  let now = 0;
  const display = displayProgress({ activation: 'customers', terminal, now: () => now });
  display.observe(() => READING);
  now = 1000;
  t.mock.timers.tick(1000);
  terminal.note('a warning');
  display.stop();
  const erase = '\r\u001b[2K';
  assert.ok(
    err.text.startsWith(`0:00  customers: connecting${erase}0:01  customers: reading  1,234,567 rows  `),
    err.text,
  );
  assert.ok(err.text.includes(`${erase}a warning\n0:01  customers: reading`));
  assert.ok(err.text.endsWith(erase));
  assert.ok(!err.text.includes('written'), 'the line is no wider than the terminal');
});

test('what does not answer is said once for each wait, whole, above the live line', t => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const err = new Screen(true, 60);
  const waiting = 'the storage account does not answer (ECONNREFUSED); trying again until 10:00:30 UTC';
  let progress: RunProgress = { ...READING, phase: 'connecting', connectingTo: 'destination', waiting };
  const display = displayProgress({ activation: 'a', terminal: new Terminal(new Screen(true), err) });
  display.observe(() => progress);
  t.mock.timers.tick(1000);
  progress = READING;
  t.mock.timers.tick(1000);
  progress = { ...READING, waiting };
  t.mock.timers.tick(1000);
  display.stop();
  const said = err.text.replace(/\s+/g, ' ').split(`a: ${waiting}`);
  assert.equal(said.length, 3, err.text);
});

test('elsewhere the progress is a line at each change of phase and every ten seconds', t => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const err = new Screen(false);
  let now = 0;
  let phase: 'reading' | 'publishing' = 'reading';
  const terminal = new Terminal(new Screen(false), err);
  const display = displayProgress({ activation: 'customers', terminal, now: () => now });
  display.observe(() => ({ ...READING, phase }));
  for (now = 200; now <= 25_000; now += 200) {
    if (now > 24_000) phase = 'publishing';
    t.mock.timers.tick(200);
  }
  display.stop();
  const shown = err.text
    .trimEnd()
    .split('\n')
    .map(line => line.replace(/ {2}1,234,567 rows.*?(?= {2}\d+:)| {2}178.*/g, ''));
  assert.deepEqual(shown, [
    'customers: connecting  0:00',
    'customers: reading  0:00',
    'customers: reading  0:10',
    'customers: reading  0:20',
    'customers: publishing  0:24',
  ]);
});

test('all that is printed is free of secrets and of control characters', () => {
  const out = new Screen(false);
  const err = new Screen(false);
  const terminal = new Terminal(out, err);
  terminal.redactor = new Redactor(['tell nobody']);
  terminal.print('a tell nobody b\u001b[2J\u0007\r\nnext');
  terminal.note('tell%20nobody \u001b[31mred');
  terminal.printJson({ 'tell nobody': ['tell nobody', 1], quote: '"' });
  assert.equal(
    out.text,
    'a (hidden) b\\u001b[2J\\u0007\\r\nnext\n{"(hidden)":["(hidden)",1],"quote":"\\""}\n',
  );
  assert.equal(err.text, '(hidden) \\u001b[31mred\n');
});

test('an error is one line with what to do; --verbose adds the causes', () => {
  const cause = Object.assign(new Error('socket\nhang up', { cause: 'cable' }), { code: 'ECONNRESET' });
  const error = new SluiceError('SOURCE_CONNECTION_LOST', 'reading\n  model m: gone', { cause });
  assert.equal(
    describeFailure(error, { on: 'customers', verbose: false }),
    'error SOURCE_CONNECTION_LOST: customers: reading model m: gone; run again; nothing was published',
  );
  const lines = describeFailure(error, { verbose: true }).split('\n');
  assert.equal(lines[1], '  caused by Error ECONNRESET: socket hang up');
  assert.match(lines[2] ?? '', /^ +at /);
  assert.equal(lines.at(-1), '  caused by cable');
  assert.match(
    describeFailure(new TypeError('x is not a function'), { verbose: false }),
    /^error INTERNAL: unexpected: x is/,
  );
});

test('the gravest exit code wins', () => {
  assert.equal(gravest([]), 0);
  assert.equal(gravest([0, 3, 0]), 3);
  assert.equal(gravest([75, 3]), 75);
  assert.equal(gravest([1, 75]), 1);
  assert.equal(gravest([2, 1, 75]), 2);
  assert.equal(gravest([130, 2]), 130);
});

test('quantities are written as people read them', () => {
  assert.deepEqual([0, 1023, 1024, 1.5 * 1024 ** 3].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 GiB',
  ]);
  assert.equal(formatCount(1_234_567.4), '1,234,567');
  assert.deepEqual([420, 12_340, 192_000, 3_725_000].map(formatDuration), [
    '0.42 s',
    '12.3 s',
    '3 min 12 s',
    '1 h 02 min',
  ]);
});

test('tables are aligned by the width that a terminal shows', () => {
  assert.equal(displayWidth('山田 e\u0301👩‍🚀'), 8);
  assert.equal(cutToWidth('山田太郎', 5), '山田…');
  assert.equal(cutToWidth('x'.repeat(1_000_000), 4), 'xxx…');
  assert.deepEqual(
    tableLines(
      [{ title: 'a' }, { title: 'n', align: 'right' }],
      [
        ['山', '10'],
        ['', ''],
      ],
    ),
    ['a    n', '山  10', ''],
  );
});

test('types have the names that people write', () => {
  const names: Readonly<Record<string, string>> = {
    'character varying(40)': 'varchar(40)',
    'character varying': 'varchar',
    'character(3)': 'char(3)',
    'timestamp with time zone': 'timestamptz',
    'timestamp(3) with time zone': 'timestamptz(3)',
    'timestamp without time zone': 'timestamp',
    'time(0) with time zone[]': 'timetz(0)[]',
    'bit varying(5)': 'varbit(5)',
    'numeric(20,4)': 'numeric(20,4)',
    'my.character varying': 'my.character varying',
  };
  for (const [long, short] of Object.entries(names)) assert.equal(shortTypeName(long), short);
});
