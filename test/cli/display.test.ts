import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gravest } from '../../src/cli/exit-code.ts';
import { describeFailure } from '../../src/cli/failure.ts';
import { describeProgress, displayProgress, fitted } from '../../src/cli/progress.ts';
import { formatBytes, formatCount, formatDuration } from '../../src/cli/quantities.ts';
import { cutToWidth, displayWidth, tableLines } from '../../src/cli/table.ts';
import { Terminal, type TerminalStream } from '../../src/cli/terminal.ts';
import { Redactor } from '../../src/config/secrets.ts';
import { SluiceError } from '../../src/errors.ts';

class Screen implements TerminalStream {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

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

test('the progress line tells all where there is room, and the most important where there is not', () => {
  const parts = describeProgress('customers', READING, { elapsedMs: 3_723_000, rowsPerSecond: 540_000.4 });
  assert.equal(
    fitted(parts, 200),
    'customers: reading  1,234,567 rows  540,000 rows/s  1:02:03  178.6 MiB staged  1,200,000 written  24 blocks  part 2',
  );
  assert.equal(fitted(parts, 60), 'customers: reading  1,234,567 rows  540,000 rows/s  1:02:03');
  assert.equal(fitted(parts, 5), 'customers: reading');
});

test('on a terminal the progress is one line that is erased, also while something else is printed', t => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const err = new Screen(true, 60);
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
    err.text.startsWith(`customers: connecting  0:00${erase}customers: reading  1,234,567 rows  `),
    err.text,
  );
  assert.ok(err.text.includes(`${erase}a warning\ncustomers: reading`));
  assert.ok(err.text.endsWith(erase));
  assert.ok(!err.text.includes('staged'), 'the line is no wider than the terminal');
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
