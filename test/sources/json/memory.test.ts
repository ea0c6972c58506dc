import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import type { RowBatch } from '../../../src/row-batch.ts';
import { everyNth } from '../../support/all-cases.ts';
import { sourceOf, withFolder } from './support.ts';

const MiB = 1024 * 1024;
/** Content of each file. */
const CONTENT_BYTES = 160 * MiB;
const ALLOWED_GROWTH_BYTES = 80 * MiB;
const ROW = JSON.stringify({
  id: 9_007_199_254_740_991,
  text: 'é"\\ '.repeat(300),
  flag: true,
  deep: { list: [1.5, null, 'x'.repeat(500)] },
});
const ROWS_A_PIECE = 2000;
const PIECE = {
  lines: `${ROW}\n`.repeat(ROWS_A_PIECE),
  array: `,${ROW}\n`.repeat(ROWS_A_PIECE),
};
const ENDS = { lines: ['', ''], array: [`[${ROW}`, ']'] } as const;
const NAMES = { lines: 'a.ndjson', array: 'a.json' } as const;

const CASES = [
  { layout: 'lines', gzip: true },
  { layout: 'array', gzip: false },
] as const;
for (const { layout, gzip } of everyNth(2, CASES)) {
  test(`a file of twice the memory that may be taken does not make it grow (${layout}${gzip ? ', gzipped' : ''})`, t =>
    withFolder({}, async folder => {
      const path = join(folder, NAMES[layout] + (gzip ? '.gz' : ''));
      const stored = (text: string): Buffer => (gzip ? gzipSync(text) : Buffer.from(text));
      const pieces = Math.ceil(CONTENT_BYTES / Buffer.byteLength(PIECE[layout]));
      const file = await open(path, 'w');
      const piece = stored(PIECE[layout]);
      await file.write(stored(ENDS[layout][0]));
      for (let index = 0; index < pieces; index++) await file.write(piece);
      await file.write(stored(ENDS[layout][1]));
      await file.close();

      const source = sourceOf(path);
      const { columns } = await source.describe();
      let rows = 0;
      let before = 0;
      let most = 0;
      for await (const batch of source.read(columns)) {
        rows += (batch as RowBatch).rowCount;
        const { rss } = process.memoryUsage();
        // What the first tenth needs is there to stay.
        if (rows < (pieces * ROWS_A_PIECE) / 10) before = Math.max(before, rss);
        most = Math.max(most, rss);
      }
      assert.deepEqual(await source.finish(), { rows });
      assert.equal(rows, pieces * ROWS_A_PIECE + (layout === 'array' ? 1 : 0));
      await source.close();
      t.diagnostic(`from ${Math.round(before / MiB)} to ${Math.round(most / MiB)} MiB`);
      assert.ok(most - before < ALLOWED_GROWTH_BYTES, `grew by ${Math.round((most - before) / MiB)} MiB`);
    }));
}
