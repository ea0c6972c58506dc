/**
 * Measures the encoders alone: rows that are in memory already, in the form in which they
 * come from the database.
 *
 *   npx tsx bench/encoders.ts [--only json,csv] [--shape customers] [--seconds 2] [--rounds 5]
 *
 * Figures are rows and bytes per second of CPU time of the whole process, threads
 * included, so that a busy machine does not decide.
 */
import { parseArgs } from 'node:util';
import { type Encoder, isBuffering, type OutputBuffer } from '../src/encoders/encoder.ts';
import { FORMATS } from '../src/registry.ts';
import type { Column, RowBatch } from '../src/row-batch.ts';
import { SHAPES, type Shape } from './support/encoder-rows.ts';
import { markdownTable } from './support/markdown-table.ts';
import { spread } from './support/statistics.ts';

const CSV = {
  type: 'csv',
  delimiter: ',',
  header: true,
  quote: 'needed',
  quoteChar: '"',
  escapeChar: '"',
  lineEnding: 'lf',
  nullText: '',
  bom: false,
  escapeFormulas: false,
  timestampFormat: 'iso8601',
  booleans: ['true', 'false'],
  compression: 'none',
} as const;
const JSON_ARRAY = {
  type: 'json',
  layout: 'array',
  numbers: 'number',
  nulls: 'include',
  compression: 'none',
} as const;
const XML = {
  type: 'xml',
  root: 'rows',
  row: 'row',
  declaration: true,
  names: 'encode',
  nulls: 'include',
  indent: false,
  compression: 'none',
} as const;
const PARQUET = { type: 'parquet', compression: 'snappy', rowGroupRows: 122_880, dictionary: true } as const;

type CreateEncoder = (columns: readonly Column[]) => Encoder;

const csv = await FORMATS.csv.fast();
const json = await FORMATS.json.fast();
const xml = await FORMATS.xml.fast();
const parquet = await FORMATS.parquet.fast();
// The options are those of the configuration, defaults filled in; keys that an encoder
// does not read are left out.
const CASES: Readonly<Record<string, CreateEncoder>> = {
  csv: columns => csv(columns, CSV as never),
  csv_always: columns => csv(columns, { ...CSV, quote: 'always' } as never),
  json: columns => json(columns, JSON_ARRAY as never),
  ndjson: columns => json(columns, { ...JSON_ARRAY, layout: 'lines' } as never),
  xml: columns => xml(columns, XML as never),
  parquet: columns => parquet(columns, PARQUET as never),
};

const { values: args } = parseArgs({
  options: {
    only: { type: 'string' },
    shape: { type: 'string' },
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
  },
});
const seconds = Number(args.seconds);
const rounds = Number(args.rounds);
const only = args.only?.split(',');

/** As many as the sink has in flight, and as large. */
const BLOCKS = Array.from({ length: 4 }, () => Buffer.from(new SharedArrayBuffer(8 * 1024 * 1024)));

/** What the sink does with an encoder, without sending anything. */
class Blocks {
  readonly #encoder: Encoder;
  #out: OutputBuffer;
  #turns = 0;
  #bytes = 0;
  #all = new Int32Array(0);

  constructor(encoder: Encoder) {
    this.#encoder = encoder;
    this.#out = this.#next();
    encoder.begin(this.#out);
  }

  async write(batch: RowBatch): Promise<void> {
    if (this.#all.length < batch.rowCount)
      this.#all = Int32Array.from({ length: batch.rowCount }, (_, i) => i);
    let index = 0;
    while (index < batch.rowCount) {
      index = this.#encoder.encode(batch, this.#all, index, batch.rowCount, this.#out);
      if (index < batch.rowCount) await this.#turn();
    }
  }

  async finish(): Promise<number> {
    await this.#turn();
    return this.#bytes;
  }

  async #turn(): Promise<void> {
    if (isBuffering(this.#encoder)) this.#bytes += (await this.#encoder.flush()).bytes.length;
    else this.#bytes += this.#out.position;
    this.#out = this.#next();
  }

  #next(): OutputBuffer {
    const bytes = BLOCKS[this.#turns++ % BLOCKS.length]!;
    const limit = isBuffering(this.#encoder) ? Number.MAX_SAFE_INTEGER : bytes.length;
    return { bytes, position: 0, limit };
  }
}

await main();

async function main(): Promise<void> {
  const lines: string[][] = [];
  for (const shape of SHAPES) {
    if (args.shape !== undefined && args.shape !== shape.name) continue;
    for (const [format, create] of Object.entries(CASES)) {
      if (only !== undefined && !only.includes(format)) continue;
      await measure(shape, create, seconds / 2);
      const rowsPerSecond: number[] = [];
      const bytesPerSecond: number[] = [];
      let bytesPerRow = 0;
      for (let round = 0; round < rounds; round++) {
        const seen = await measure(shape, create, seconds);
        rowsPerSecond.push(seen.rows / seen.cpuSeconds);
        bytesPerSecond.push(seen.bytes / seen.cpuSeconds);
        bytesPerRow = seen.bytes / seen.rows;
      }
      const rows = spread(rowsPerSecond);
      lines.push([
        shape.name,
        format,
        bytesPerRow.toFixed(0),
        thousands(rows.median / 1000),
        `${thousands(rows.min / 1000)}-${thousands(rows.max / 1000)}`,
        thousands(spread(bytesPerSecond).median / 1e6),
      ]);
    }
  }
  console.log(
    markdownTable(
      [
        { title: 'rows' },
        { title: 'format' },
        { title: 'bytes a row', align: 'right' },
        { title: '1,000 rows per CPU second', align: 'right' },
        { title: 'spread', align: 'right' },
        { title: 'MB per CPU second', align: 'right' },
      ],
      lines,
    ),
  );
}

async function measure(
  { columns, batches }: Shape,
  create: CreateEncoder,
  wantedSeconds: number,
): Promise<{ readonly rows: number; readonly bytes: number; readonly cpuSeconds: number }> {
  const encoder = create(columns);
  const sink = new Blocks(encoder);
  const start = process.cpuUsage();
  let rows = 0;
  let cpuSeconds = 0;
  for (let i = 0; cpuSeconds < wantedSeconds; i++) {
    const batch = batches[i % batches.length]!;
    await sink.write(batch);
    rows += batch.rowCount;
    if (i % 64 > 0) continue;
    const { user, system } = process.cpuUsage(start);
    cpuSeconds = (user + system) / 1e6;
  }
  const bytes = await sink.finish();
  const { user, system } = process.cpuUsage(start);
  return { rows, bytes, cpuSeconds: (user + system) / 1e6 };
}

function thousands(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
