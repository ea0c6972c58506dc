/** What the body asks of any encoder that buffers, with one whose every byte is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BufferingEncoder, FlushedRows, OutputBuffer } from '../../../src/encoders/encoder.ts';
import { SluiceError } from '../../../src/errors.ts';
import type { RowBatch } from '../../../src/row-batch.ts';
import { batchOf } from '../../conformance/encoding.ts';
import { writeParts } from '../../conformance/parquet-parts.ts';
import { someOf } from '../../support/all-cases.ts';

interface SlowEncoderOptions {
  /** Rows of one flush at most. */
  readonly flushRows: number;
  /** How many times as long as it is a row is thought to be. */
  readonly pessimism: number;
  /** How many turns of the event loop the nth flush takes. */
  readonly delay: (flush: number) => number;
}

/** Writes `<`, the rows' texts, and `>` with a dot per flush. */
class SlowEncoder implements BufferingEncoder {
  static inFlight = 0;
  static mostInFlight = 0;
  readonly beginBytes = 1;
  readonly #options: SlowEncoderOptions;
  #texts: string[] = [];
  #flushes = 0;
  #settled = 0;

  constructor(options: SlowEncoderOptions) {
    this.#options = options;
  }

  get endBytes(): number {
    return 1 + this.#settled;
  }

  begin(out: OutputBuffer): void {
    out.position += out.bytes.write('<', out.position);
  }

  end(out: OutputBuffer): void {
    assert.ok(this.#texts.length === 0 && this.#settled === this.#flushes);
    out.position += out.bytes.write(`${'.'.repeat(this.#settled)}>`, out.position);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    return (batch.rowBounds[2 * row + 1]! - batch.rowBounds[2 * row]! - 4) * this.#options.pessimism + 1;
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    for (let index = from; index < to; index++) {
      if (this.#texts.length === this.#options.flushRows) return index;
      const bound = this.rowBytesBound(batch, rows[index]!);
      if (out.position + bound > out.limit) return index;
      out.position += bound;
      const [start, end] = batch.rowBounds.subarray(2 * rows[index]!, 2 * rows[index]! + 2);
      this.#texts.push(batch.bytes.toString('latin1', start! + 4, end));
    }
    return to;
  }

  async flush(): Promise<FlushedRows> {
    const bytes = Buffer.from(this.#texts.join(''));
    this.#texts = [];
    const flush = this.#flushes++;
    SlowEncoder.mostInFlight = Math.max(SlowEncoder.mostInFlight, ++SlowEncoder.inFlight);
    for (let turn = this.#options.delay(flush); turn >= 0 || this.#settled < flush; turn--) {
      await new Promise(resolve => setImmediate(resolve));
    }
    SlowEncoder.inFlight--;
    this.#settled++;
    return { bytes, endBytes: 2 + flush };
  }
}

const cases = fc.record({
  texts: fc.array(
    fc.integer({ min: 0, max: 60 }).map(length => 'x'.repeat(length)),
    { maxLength: 60 },
  ),
  flushRows: fc.integer({ min: 1, max: 10 }),
  pessimism: fc.integer({ min: 1, max: 5 }),
  maxFileBytes: fc.integer({ min: 70, max: 700 }),
  maxFileRows: fc.integer({ min: 1, max: 40 }),
  blockBytes: fc.integer({ min: 1, max: 100 }),
  delays: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 9 }),
});

test('keeps within every limit, loses no row, and decides alike however long a flush takes', async () => {
  const property = fc.asyncProperty(cases, async ({ texts, delays, ...options }) => {
    const { maxFileBytes, maxFileRows } = options;
    const batches = [
      batchOf(texts.slice(0, 20).map(text => [text])),
      batchOf(texts.slice(20).map(text => [text])),
    ];
    const write = (delay: (flush: number) => number): Promise<{ bytes: Buffer; rows: number }[]> =>
      writeParts(() => new SlowEncoder({ ...options, delay }), batches, options);
    const parts = await write(flush => delays[flush % delays.length]!);
    for (const { bytes, rows } of parts) {
      assert.ok(bytes.length <= maxFileBytes && rows <= maxFileRows);
      assert.match(bytes.toString(), /^<x*\.*>$/);
    }
    assert.equal(parts.map(({ bytes }) => bytes.toString().replace(/[^x]/g, '')).join(''), texts.join(''));
    assert.equal(
      parts.reduce((sum, { rows }) => sum + rows, 0),
      texts.length,
    );
    assert.deepEqual(await write(() => 0), parts);
  });
  await fc.assert(property, { numRuns: someOf(150) });
  assert.equal(SlowEncoder.inFlight, 0);
  assert.ok(SlowEncoder.mostInFlight <= 1, `${SlowEncoder.mostInFlight} flushes in flight`);
});

test('has no more than one flush under way while rows are taken', async () => {
  SlowEncoder.mostInFlight = 0;
  const batch = batchOf(Array.from({ length: 100 }, () => ['x']));
  await writeParts(() => new SlowEncoder({ flushRows: 1, pessimism: 1, delay: () => 3 }), [batch]);
  assert.equal(SlowEncoder.mostInFlight, 1);
});

test('takes rows that take more than was said for a defect, and exceeds no limit for them', async () => {
  class Liar extends SlowEncoder {
    override async flush(): Promise<FlushedRows> {
      const { bytes, endBytes } = await super.flush();
      return { bytes: Buffer.concat([bytes, Buffer.alloc(100)]), endBytes };
    }
  }
  const batch = batchOf([['x'], ['y']]);
  await assert.rejects(
    writeParts(() => new Liar({ flushRows: 1, pessimism: 1, delay: () => 0 }), [batch], { maxFileBytes: 90 }),
    (error: unknown) => error instanceof SluiceError && error.code === 'INTERNAL',
  );
});

test('passes the failure of a flush on', async () => {
  class Broken extends SlowEncoder {
    override async flush(): Promise<FlushedRows> {
      await super.flush();
      throw new SluiceError('INTERNAL', 'broken');
    }
  }
  const batch = batchOf(Array.from({ length: 9 }, () => ['x']));
  await assert.rejects(
    writeParts(() => new Broken({ flushRows: 2, pessimism: 1, delay: () => 2 }), [batch]),
    /broken/,
  );
});
