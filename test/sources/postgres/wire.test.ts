import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import type { ErrorCode } from '../../../src/errors.ts';
import type { RowBatch } from '../../../src/row-batch.ts';
import { DirectSocket } from '../../../src/sources/postgres/connection/direct-socket.ts';
import {
  BATCH_BYTES,
  DataRowStream,
  type DriverConnection,
} from '../../../src/sources/postgres/data-row-stream.ts';
import { toSourceError } from '../../../src/sources/postgres/postgres-errors.ts';
import { someOf } from '../../support/all-cases.ts';
import { fromBatch } from '../../support/row-batches.ts';
import {
  commandComplete,
  dataRow,
  errorResponse,
  type FakeRow,
  FakeServer,
  int16,
  int32,
  message,
  notice,
  notification,
  parameterStatus,
  portalSuspended,
  readyForQuery,
  type Script,
} from './fake-server.ts';
import { createSource, readAll, rejectsWith } from './support.ts';

const COLUMNS = ['id', 'name'];
const ROWS: FakeRow[] = [
  ['1', 'one'],
  ['2', null],
  ['3', ''],
];
const SENT = ROWS.map(dataRow);

async function readFake(script: Partial<Script>, options: Parameters<typeof readAll>[2] = {}) {
  const server = await FakeServer.start({ columns: COLUMNS, execute: () => {}, ...script });
  try {
    return await readAll(server.url, 'select', { connectTimeoutMs: 5_000, ...options });
  } finally {
    await server.stop();
  }
}

test('reads what the fake server sends as long as it keeps to the protocol', async () => {
  const { rows } = await readFake({ execute: ({ send }) => send(...SENT, commandComplete('SELECT 3')) });
  assert.deepEqual(rows, ROWS);
});

test('reads fetch by fetch', async () => {
  let at = 0;
  const { rows } = await readFake(
    {
      execute: ({ send }, maxRows) => {
        const part = SENT.slice(at, at + maxRows);
        at += part.length;
        send(...part, part.length < maxRows ? commandComplete(`SELECT ${part.length}`) : portalSuspended());
      },
    },
    { fetchSize: 2 },
  );
  assert.deepEqual(rows, ROWS);
});

test('passes messages that stand between rows to the driver', async () => {
  const between = [
    notice('careful'),
    parameterStatus('TimeZone', 'UTC'),
    notification('news', 'none'),
    notice('x'.repeat(BATCH_BYTES + 1000)),
  ];
  const { rows } = await readFake({
    execute: ({ send }) => {
      for (const one of between) send(one, ...SENT, one);
      send(commandComplete(`SELECT ${3 * between.length}`));
    },
  });
  assert.deepEqual(
    rows,
    between.flatMap(() => ROWS),
  );
});

test('gives the driver the rest of a message that began before the rows had ended', async () => {
  const status = parameterStatus('application_name', 'renamed');
  for (let cut = 1; cut < status.length; cut += 1) {
    const { rows } = await readFake({
      execute: ({ send }) => send(...SENT, commandComplete('SELECT 3')),
      afterRows: Buffer.concat([readyForQuery(), status.subarray(0, cut)]),
      commit: Buffer.concat([status.subarray(cut), commandComplete('COMMIT'), readyForQuery('I')]),
    });
    assert.deepEqual(rows, ROWS);
  }
});

interface Broken {
  readonly what: string;
  readonly code?: ErrorCode;
  readonly sent: readonly Buffer[];
  /** Close the connection after sending. */
  readonly close?: boolean;
  readonly fetchSize?: number;
  readonly says: RegExp;
}

const truncated = dataRow(['4', 'four']);
const BROKEN: readonly Broken[] = [
  {
    what: 'one row more than came',
    sent: [...SENT, commandComplete('SELECT 4')],
    says: /"SELECT 4" but 3 rows/,
  },
  {
    what: 'one row less than came',
    sent: [...SENT, commandComplete('SELECT 2')],
    says: /"SELECT 2" but 3 rows/,
  },
  {
    what: 'no rows where rows came',
    sent: [...SENT, commandComplete('SELECT 0')],
    says: /"SELECT 0" but 3 rows/,
  },
  { what: 'no count', sent: [...SENT, commandComplete('SELECT')], says: /"SELECT" but 3 rows/ },
  {
    what: 'another command',
    sent: [...SENT, commandComplete('INSERT 0 3')],
    says: /"INSERT 0 3" but 3 rows/,
  },
  {
    what: 'a fetch of fewer rows',
    sent: [...SENT, portalSuspended()],
    fetchSize: 4,
    says: /suspended" but 3 rows/,
  },
  { what: 'a fetch nobody asked for', sent: [...SENT, portalSuspended()], says: /suspended" but 3 rows/ },
  { what: 'an empty fetch nobody asked for', sent: [portalSuspended()], says: /suspended" but 0 rows/ },
  {
    what: 'a row with too few fields',
    sent: [...SENT, dataRow(['4'])],
    says: /after 3 rows came .* type "D" and 12 bytes/,
  },
  {
    what: 'a row with too many fields',
    sent: [dataRow(['1', '2', '3'])],
    says: /after 0 rows came .* type "D"/,
  },
  {
    what: 'a row without room for its fields',
    sent: [message('D', int16(2), int32(-1))],
    says: /type "D" and 11 bytes/,
  },
  { what: 'a row without a count', sent: [message('D')], says: /type "D" and 5 bytes/ },
  {
    what: 'a message of length 0',
    sent: [...SENT, Buffer.from([0x44, 0, 0, 0, 0])],
    says: /type "D" and 1 bytes/,
  },
  {
    what: 'a message of length 3',
    sent: [Buffer.from([0x4e, 0, 0, 0, 3, 0, 0])],
    says: /type "N" and 4 bytes/,
  },
  {
    what: 'a message of length -1',
    sent: [Buffer.from([0x44, 255, 255, 255, 255])],
    says: /type "D" and 0 bytes/,
  },
  { what: 'a message of the least length', sent: [Buffer.from([0x44, 0x80, 0, 0, 0])], says: /type "D"/ },
  {
    what: 'a message of unknown type',
    code: 'SOURCE_CONNECTION_LOST',
    sent: [...SENT, message('x', 'abc')],
    says: /invalid response: 78/,
  },
  {
    what: 'a message that the driver cannot parse',
    code: 'SOURCE_CONNECTION_LOST',
    sent: [...SENT, message('T', int16(3), 'x')],
    says: /reading model customers: /,
  },
  {
    what: 'the end in the middle of a row',
    code: 'SOURCE_CONNECTION_LOST',
    sent: [...SENT, truncated.subarray(0, truncated.length - 1)],
    close: true,
    says: /terminated unexpectedly|closed by the other side/,
  },
  {
    what: 'the end after the last row',
    code: 'SOURCE_CONNECTION_LOST',
    sent: SENT,
    close: true,
    says: /terminated unexpectedly|closed by the other side/,
  },
  {
    what: 'the end after CommandComplete',
    code: 'SOURCE_CONNECTION_LOST',
    sent: [...SENT, commandComplete('SELECT 3')],
    close: true,
    says: /terminated unexpectedly|closed by the other side/,
  },
  {
    what: 'an error between rows',
    code: 'SOURCE_QUERY_CANCELLED',
    sent: [...SENT, errorResponse('57014', 'canceling statement')],
    says: /canceling statement \(SQLSTATE 57014\)/,
  },
  { what: 'an empty query', sent: [message('I')], says: /reading model customers: / },
  {
    what: 'a row of 600 MiB',
    code: 'SOURCE_VALUE_TOO_LARGE',
    sent: [
      ...SENT,
      Buffer.concat([Buffer.from('D'), int32(600 * 2 ** 20), int16(2), int32(-1), int32(599 * 2 ** 20)]),
      Buffer.alloc(BATCH_BYTES),
    ],
    says: /row 4 has 629145601 bytes, 628097024 of them in column "name"; the limit is 536870912 bytes a row/,
  },
];

for (const { what, code = 'SOURCE_INCOMPLETE', sent, close, fetchSize = 0, says } of BROKEN) {
  test(`${what} fails the read`, async () => {
    const execute: Script['execute'] = ({ send, socket }) => {
      send(...sent);
      if (close) socket.end();
    };
    const error = await rejectsWith(readFake({ execute }, { fetchSize }), code);
    assert.match(error.message, says);
    assert.match(error.message, /^reading model customers: /);
  });
}

test('an error after CommandComplete fails the read, though the driver passes it over', async () => {
  const script: Partial<Script> = {
    execute: ({ send }) => send(...SENT, commandComplete('SELECT 3')),
    afterRows: Buffer.concat([errorResponse('57014', 'canceling statement'), readyForQuery('E')]),
  };
  await rejectsWith(readFake(script), 'SOURCE_QUERY_CANCELLED');
});

test('a transaction that was rolled back in place of committed fails finish', async () => {
  const script: Partial<Script> = {
    execute: ({ send }) => send(...SENT, commandComplete('SELECT 3')),
    commit: Buffer.concat([commandComplete('ROLLBACK'), readyForQuery('I')]),
  };
  const error = await rejectsWith(readFake(script), 'SOURCE_INCOMPLETE');
  assert.match(error.message, /the server answered ROLLBACK to commit/);
});

test('commits after a sink so slow that the socket was paused when the last rows came', async () => {
  // Two full batches and some rows: the first is taken at once, the other two fill the
  // stream.
  const sent = Array.from({ length: 600 }, (_, index) => [String(index), 'x'.repeat(1000)]);
  const server = await FakeServer.start({
    columns: COLUMNS,
    execute: ({ send }) => send(...sent.map(dataRow), commandComplete('SELECT 600')),
  });
  const source = createSource(server.url, 'select');
  const { columns } = await source.describe();
  const stream = source.read(columns);
  let rows = 0;
  for await (const batch of stream) {
    rows += (batch as RowBatch).rowCount;
    // Other sessions come and go until everything that was sent has come.
    for (let sessions = 0; sessions < 10; sessions += 1) {
      const other = createSource(server.url, 'select');
      await other.describe();
      await other.close();
    }
  }
  assert.equal(rows, 600);
  assert.deepEqual(await source.finish(), { rows: 600 });
  await source.close();
  await server.stop();
});

/**
 * The two ways of receiving: what a plain socket brings is copied, as with TLS; a direct
 * one fills the batches.
 */
const SOCKETS = { 'plain socket': Socket, 'direct socket': DirectSocket };
type SocketName = keyof typeof SOCKETS;
const SOCKET_NAMES = Object.keys(SOCKETS) as SocketName[];

/**
 * A `DataRowStream` on a connection of the real driver, whose chunks are those that the
 * test sends.
 */
async function openChunked(t: TestContext, socketName: SocketName, fetchSize: number) {
  const columns = COLUMNS;
  let onExecute: (session: { socket: Socket }, maxRows: number) => void = () => {};
  const server = await FakeServer.start({
    columns,
    execute: (session, maxRows) => onExecute(session, maxRows),
  });
  const client = new pg.Client({
    connectionString: server.url,
    stream: () => new SOCKETS[socketName](),
  });
  client.on('error', () => {});
  await client.connect();
  const { connection } = client as unknown as { connection: DriverConnection };
  const open = (chunks: (maxRows: number) => readonly Buffer[]): DataRowStream => {
    const portal = new QueryStream('select', [], { rowMode: 'array' });
    const stream = new DataRowStream({
      portal,
      connection,
      fetchSize,
      inactivityTimeoutMs: 10_000,
      maxRowBytes: 1e9,
      fieldNames: columns,
      doing: 'testing',
      toError: cause => toSourceError(cause, { doing: 'testing', connected: true }),
      abandon: () => connection.stream.destroy(),
    });
    onExecute = async ({ socket }, maxRows) => {
      let due = connection.stream.bytesRead;
      for (const chunk of chunks(maxRows)) {
        while (connection.stream.bytesRead < due) await nextTurn();
        due += chunk.length;
        socket.write(chunk);
      }
    };
    client.query(portal);
    return stream;
  };
  t.after(async () => {
    connection.stream.destroy();
    await server.stop();
  });
  return { open, connection };
}

const NOISE = [notice('noise'), parameterStatus('a', 'b'), notification('c', 'd'), notice('')];

for (const socketName of SOCKET_NAMES) {
  test(`${socketName}: gives the same rows wherever the network cuts the bytes, other messages between them`, async t => {
    const { open, connection } = await openChunked(t, socketName, 0);
    const value = fc.option(fc.string({ unit: 'binary', maxLength: 12 }), { nil: null });
    const row = fc.tuple(value, value);
    const item = fc.oneof({ weight: 4, arbitrary: row }, { weight: 1, arbitrary: fc.constantFrom(...NOISE) });
    const listenersBefore = listenerCounts(connection);
    await fc.assert(
      fc.asyncProperty(
        fc.array(item, { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        async (items, cuts) => {
          const rows = items.filter(one => Array.isArray(one)) as FakeRow[];
          const bytes = Buffer.concat([
            ...items.map(one => (Array.isArray(one) ? dataRow(one as FakeRow) : (one as Buffer))),
            commandComplete(`SELECT ${rows.length}`),
          ]);
          const places = [0, ...cuts.map(cut => cut % bytes.length).sort((a, b) => a - b), bytes.length];
          const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index]!, end));
          const stream = open(() => chunks.filter(chunk => chunk.length > 0));
          const batches = (await stream.toArray()) as RowBatch[];
          assert.deepEqual(
            batches.flatMap(batch => fromBatch(batch, 2)),
            rows,
          );
          assert.equal(stream.rows, rows.length);
        },
      ),
      { numRuns: someOf(60) },
    );
    assert.deepEqual(listenerCounts(connection), listenersBefore);
  });

  test(`${socketName}: gives the same rows when every byte comes alone, whatever the fetch size`, async t => {
    const items = [...SENT, NOISE[0]!, ...SENT];
    for (const fetchSize of [0, 2]) {
      const { open } = await openChunked(t, socketName, fetchSize);
      let at = 0;
      const stream = open(maxRows => {
        const part = fetchSize === 0 ? items : items.filter(one => one[0] === 0x44).slice(at, at + maxRows);
        at += part.length;
        const rows = part.filter(one => one[0] === 0x44).length;
        const end = rows === maxRows ? portalSuspended() : commandComplete(`SELECT ${rows}`);
        return Array.from(Buffer.concat([...part, end]), byte => Buffer.from([byte]));
      });
      const batches = (await stream.toArray()) as RowBatch[];
      assert.deepEqual(
        batches.flatMap(batch => fromBatch(batch, 2)),
        [...ROWS, ...ROWS],
      );
    }
  });

  test(`${socketName}: gives the same rows however their ends fall on the ends of batches`, async t => {
    const { open } = await openChunked(t, socketName, 0);
    // The first row ends within some bytes of the batch's end; the ones behind it
    // straddle, or fill it exactly.
    for (let short = -3; short <= 24; short += 1) {
      const overhead = dataRow(['', '']).length;
      const sizes = [BATCH_BYTES - overhead - short, 0, 3, BATCH_BYTES - overhead, 2 * BATCH_BYTES + 1, 5];
      const rows = sizes.map(size => ['', 'y'.repeat(size)]);
      const bytes = Buffer.concat([...rows.map(dataRow), commandComplete(`SELECT ${rows.length}`)]);
      const stream = open(() => [bytes]);
      const batches = (await stream.toArray()) as RowBatch[];
      const seen = batches.flatMap(batch => fromBatch(batch, 2));
      assert.ok(
        seen.length === rows.length && seen.every((row, index) => row[1] === rows[index]![1]),
        `short by ${short}`,
      );
    }
  });

  test(`${socketName}: leaves no listener behind when it is destroyed in the middle`, async t => {
    const { open, connection } = await openChunked(t, socketName, 0);
    const before = listenerCounts(connection);
    const stream = open(() => [Buffer.concat(Array(20_000).fill(SENT[0]))]);
    await once(stream, 'readable');
    stream.destroy();
    assert.deepEqual(listenerCounts(connection), before);
  });

  test(`${socketName}: a batch keeps its bytes until it is released, and lends its memory to a later one then`, async t => {
    const { open } = await openChunked(t, socketName, 0);
    const rows = Array.from({ length: 4000 }, (_, index) => [String(index), 'z'.repeat(1000)]);
    const stream = open(() => [Buffer.concat([...rows.map(dataRow), commandComplete('SELECT 4000')])]);
    const kept: RowBatch[] = [];
    const seen: FakeRow[] = [];
    const buffers = new Set<Buffer>();
    let batches = 0;
    for await (const batch of stream as AsyncIterable<RowBatch>) {
      seen.push(...fromBatch(batch, 2));
      buffers.add(batch.bytes);
      batches++;
      if (batches % 4 === 0) {
        kept.push(batch);
        continue;
      }
      const { release } = batch;
      release?.();
      release?.();
    }
    assert.deepEqual(seen, rows);
    const ids = new Set(kept.flatMap(batch => fromBatch(batch, 2).map(([id]) => id)));
    assert.equal(
      ids.size,
      kept.reduce((sum, { rowCount }) => sum + rowCount, 0),
    );
    assert.ok(batches >= 15 && kept.length >= 3, `${batches} batches`);
    assert.ok(buffers.size <= kept.length + 4, `${buffers.size} buffers for ${batches} batches`);
  });
}

function listenerCounts(connection: DriverConnection): unknown {
  const count = (emitter: NodeJS.EventEmitter): unknown =>
    Object.fromEntries(emitter.eventNames().map(name => [String(name), emitter.listenerCount(name)]));
  return [count(connection), count(connection.stream)];
}
