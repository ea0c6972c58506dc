import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { ArrivedRows, flow, type Pipeline } from '../src/pipeline.ts';
import type { RowBatch } from '../src/row-batch.ts';
import type { EndOfData, RowSource } from '../src/sources/source.ts';
import type { RowTransform } from '../src/transforms/transform.ts';
import { fromBatch, textColumns, toBatch } from './support/row-batches.ts';

const COLUMNS = textColumns('id');

/** A source of numbered batches of one row that writes down what happens to it. */
class ListSource implements RowSource {
  readonly events: string[];
  readonly #batches: Iterable<RowBatch>;
  sent = 0;
  finishing: () => Promise<EndOfData> = async () => ({ rows: this.sent });

  constructor(events: string[], batches: Iterable<RowBatch>) {
    this.events = events;
    this.#batches = batches;
  }

  async describe() {
    return { columns: COLUMNS, dialect: 'list', snapshotTime: new Date(0) };
  }

  read(columns: readonly unknown[]): Readable {
    assert.equal(columns, COLUMNS);
    const batches = this.#batches[Symbol.iterator]();
    const source = this;
    return new Readable({
      objectMode: true,
      highWaterMark: 2,
      read() {
        try {
          const { done, value } = batches.next();
          if (!done) source.sent += 1;
          this.push(done ? null : value);
        } catch (error) {
          this.destroy(error as Error);
        }
      },
      destroy(error, done) {
        source.events.push(error ? 'source destroyed' : 'source ended');
        done(error);
      },
    });
  }

  finish(): Promise<EndOfData> {
    this.events.push('finish');
    return this.finishing();
  }

  async close(): Promise<void> {}
}

function* numbers(count: number): Generator<RowBatch> {
  for (let id = 1; id <= count; id++) yield toBatch([[String(id)]]);
}

function collect(events: string[], seen: string[]): Writable {
  return new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(batch: RowBatch, _encoding, done) {
      seen.push(...fromBatch(batch, 1).map(([id]) => id!));
      setImmediate(done);
    },
    final(done) {
      setImmediate(() => {
        events.push('sink done');
        done();
      });
    },
  });
}

function pipelineOf(parts: Partial<Pipeline> & { events?: string[]; seen?: string[] }): Pipeline {
  const { events = [], seen = [], ...given } = parts;
  return {
    source: new ListSource(events, numbers(5)),
    mapping: { fields: COLUMNS, written: COLUMNS, keyFields: [] },
    sink: collect(events, seen),
    signal: new AbortController().signal,
    ...given,
  };
}

test('resolves after the sink is done and the source has proven its end', async () => {
  const events: string[] = [];
  const seen: string[] = [];
  const source = new ListSource(events, numbers(5));
  const { signal } = new AbortController();
  assert.deepEqual(await flow(pipelineOf({ events, seen, source, signal })), { rows: 5 });
  assert.deepEqual(seen, ['1', '2', '3', '4', '5']);
  assert.deepEqual(events, ['source ended', 'sink done', 'finish']);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('a source without rows is an end like others', async () => {
  const events: string[] = [];
  const source = new ListSource(events, []);
  assert.deepEqual(await flow(pipelineOf({ events, source })), { rows: 0 });
  assert.deepEqual(events, ['source ended', 'sink done', 'finish']);
});

test('takes what the diff sends after its input ended', async () => {
  const seen: string[] = [];
  const rename = (suffix: string): RowTransform =>
    async function* (batches) {
      for await (const batch of batches) yield toBatch(fromBatch(batch, 1).map(([id]) => [`${id}${suffix}`]));
      yield toBatch([[`end${suffix}`]]);
    };
  await flow(pipelineOf({ seen, diff: rename('a') }));
  assert.deepEqual(seen, ['1a', '2a', '3a', '4a', '5a', 'enda']);
});

test('a sink that stops holds the source back', async () => {
  const events: string[] = [];
  const source = new ListSource(events, numbers(1000));
  const pass: RowTransform = async function* (batches) {
    yield* batches;
  };
  let goOn: () => void = () => {};
  let held = (): void => {};
  const stopped = new Promise<void>(resolve => {
    held = resolve;
  });
  let first = true;
  const sink = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(_batch, _encoding, done) {
      if (!first) return void done();
      first = false;
      goOn = done;
      held();
    },
  });
  const flowing = flow(pipelineOf({ events, source, sink, diff: pass }));
  await stopped;
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  assert.ok(source.sent < 20, `${source.sent} batches were read`);
  goOn();
  assert.deepEqual(await flowing, { rows: 1000 });
});

const broken = new Error('broken');
const failing: readonly (readonly [string, (events: string[]) => Partial<Pipeline>])[] = [
  [
    'the source',
    events => {
      function* batches(): Generator<RowBatch> {
        yield* numbers(3);
        throw broken;
      }
      return { source: new ListSource(events, batches()) };
    },
  ],
  [
    'the source, at once',
    events => {
      // biome-ignore lint/correctness/useYield: it fails before its first row
      function* batches(): Generator<RowBatch> {
        throw broken;
      }
      return { source: new ListSource(events, batches()) };
    },
  ],
  [
    'the diff in the middle',
    () => ({
      diff: async function* (batches) {
        for await (const batch of batches) {
          if (fromBatch(batch, 1)[0]![0] === '3') throw broken;
          yield batch;
        }
      },
    }),
  ],
  [
    'the diff at its end',
    () => ({
      diff: async function* (batches) {
        yield* batches;
        throw broken;
      },
    }),
  ],
  [
    'the sink',
    () => ({ sink: new Writable({ objectMode: true, write: (_batch, _encoding, done) => done(broken) }) }),
  ],
  [
    'the sink at its end',
    () => ({
      sink: new Writable({
        objectMode: true,
        write: (_batch, _encoding, done) => done(),
        final: done => done(broken),
      }),
    }),
  ],
];
for (const [what, parts] of failing) {
  test(`a failure of ${what} is the failure of the flow, and nothing is finished`, async () => {
    const events: string[] = [];
    const source = new ListSource(events, numbers(5));
    const { signal } = new AbortController();
    await assert.rejects(flow(pipelineOf({ events, source, signal, ...parts(events) })), broken);
    assert.ok(!events.includes('finish'));
    assert.ok(events.some(event => event.startsWith('source')));
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });
}

test('an end that cannot be proven is a failure', async () => {
  const events: string[] = [];
  const source = new ListSource(events, numbers(5));
  source.finishing = async () => {
    throw broken;
  };
  await assert.rejects(flow(pipelineOf({ events, source })), broken);
  assert.deepEqual(events, ['source ended', 'sink done', 'finish']);
});

test('a source that has counted other rows than have passed is incomplete', async () => {
  const source = new ListSource([], numbers(5));
  source.finishing = async () => ({ rows: 6 });
  await assert.rejects(flow(pipelineOf({ source })), {
    code: 'SOURCE_INCOMPLETE',
    message: 'the source counted 6 rows, but 5 passed the pipeline',
  });
});

test('rows that the diff has asked for count as well', async () => {
  const source = new ListSource([], numbers(5));
  source.finishing = async () => ({ rows: 7 });
  const arrived = new ArrivedRows();
  const diff: RowTransform = async function* (batches) {
    yield* batches;
    arrived.add(2);
  };
  await flow(pipelineOf({ source, diff, arrived }));
  assert.equal(arrived.count, 7);
});

test('an abort destroys every stage, and nothing is finished', async () => {
  const events: string[] = [];
  const abort = new AbortController();
  let destroyed = false;
  const sink = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write: () => abort.abort(), // and never done
    destroy(_error, done) {
      destroyed = true;
      done(null);
    },
  });
  let closed = false;
  const transform: RowTransform = async function* (batches) {
    try {
      yield* batches;
    } finally {
      closed = true;
    }
  };
  const source = new ListSource(events, numbers(1000));
  const flowing = flow(pipelineOf({ events, source, sink, signal: abort.signal, diff: transform }));
  await assert.rejects(flowing, { name: 'AbortError' });
  await new Promise(setImmediate);
  assert.deepEqual(events, ['source destroyed']);
  assert.deepEqual([destroyed, closed], [true, true]);
  assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
});

test('a signal that was aborted before lets nothing begin', async () => {
  const events: string[] = [];
  const seen: string[] = [];
  const source = new ListSource(events, numbers(5));
  await assert.rejects(flow(pipelineOf({ events, seen, source, signal: AbortSignal.abort() })), {
    name: 'AbortError',
  });
  assert.deepEqual([seen, events.includes('finish')], [[], false]);
});
