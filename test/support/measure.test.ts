import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barPlot } from '../../bench/support/bar-plot.ts';
import { markdownTable } from '../../bench/support/markdown-table.ts';
import { measure } from '../../bench/support/measure.ts';
import { spread } from '../../bench/support/statistics.ts';

test('measures CPU and memory of a command together with those of its children', async () => {
  // The parent sleeps in spawnSync; the child works for 300 ms of its CPU and holds 200
  // MB.
  const child = `const b = Buffer.alloc(200e6, 1); while (process.cpuUsage().user < 300e3) b.fill(2, 0, 1e6);`;
  const parent = `require('child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(child)}]); console.log('done'); process.exit(3)`;
  const result = await measure(process.execPath, ['-e', parent]);
  assert.deepEqual([result.exitCode, result.stdout, result.stderr], [3, 'done\n', '']);
  assert.ok(result.userMs >= 300, `${result.userMs}`);
  assert.ok(result.wallMs >= 300, `${result.wallMs}`);
  if (process.platform !== 'linux') return;
  assert.ok(result.peakRssBytes > 200e6, `${result.peakRssBytes}`);
  assert.ok(result.peakTreeRssBytes > result.peakRssBytes);
});

test('kills a command with its children when aborted', async () => {
  const abort = new AbortController();
  const running = measure('/bin/sh', ['-c', 'sleep 600; true'], { signal: abort.signal });
  abort.abort();
  await assert.rejects(running, { name: 'AbortError' });
});

test('takes median, minimum and maximum of any number of values', () => {
  assert.deepEqual(spread([5]), { median: 5, min: 5, max: 5 });
  assert.deepEqual(spread([9, 1, 5]), { median: 5, min: 1, max: 9 });
  assert.deepEqual(spread([10, 9, 1, 5]), { median: 7, min: 1, max: 10 });
  assert.throws(() => spread([]), TypeError);
});

test('writes tables that align and keep a cell in its column', () => {
  const table = markdownTable(
    [{ title: 'case' }, { title: 'rows/s', align: 'right' }],
    [
      ['full | csv', '1,000,000'],
      ['x', '9'],
    ],
  );
  assert.equal(
    table,
    [
      '| case        |    rows/s |',
      '| ----------- | --------: |',
      '| full \\| csv | 1,000,000 |',
      '| x           |         9 |',
      '',
    ].join('\n'),
  );
});

test('draws a bar from zero to the median, with a whisker and a goal', () => {
  const svg = barPlot({
    title: 'a < b',
    unit: '×',
    bars: [
      { label: 'ours', value: { median: 1, min: 0.5, max: 2 }, goal: 1.1 },
      { label: 'peer', value: { median: 0.5, min: 0.5, max: 0.5 }, kind: 'peer' },
    ],
  });
  assert.match(svg, /^<svg [^>]*>[\s\S]*<\/svg>\n$/);
  assert.match(svg, />a &lt; b</);
  const widths = [...svg.matchAll(/<rect x="290" [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  assert.equal(widths[0], 2 * (widths[1] ?? 0));
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
});
