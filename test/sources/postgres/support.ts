import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { after } from 'node:test';
import { type ErrorCode, SluiceError } from '../../../src/errors.ts';
import { flow } from '../../../src/pipeline.ts';
import type { Column, RowBatch } from '../../../src/row-batch.ts';
import { PostgresSource } from '../../../src/sources/postgres/postgres-source.ts';
import type { PostgresSourceOptions } from '../../../src/sources/postgres/postgres-source-options.ts';
import type { EndOfData } from '../../../src/sources/source.ts';
import type { MappingPlan } from '../../../src/transforms/map-columns.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { addressOf } from '../../support/postgres-address.ts';
import { fromBatch, type Row } from '../../support/row-batches.ts';

/** Rows without an end, about 500 bytes each; the server makes them as they are sent. */
export const ENDLESS = `select generate_series(1, 2000000000) as id, repeat('x', 500) as filler`;

/**
 * A test that fails leaves its source open, and an open source keeps the process alive.
 */
const created: PostgresSource[] = [];
after(() => Promise.all(created.map(source => source.close())));

export function createSource(
  url: string,
  sql: string,
  options: Partial<PostgresSourceOptions> = {},
): PostgresSource {
  const source = new PostgresSource({
    name: 'warehouse',
    modelName: 'customers',
    address: addressOf(url),
    sql,
    applicationName: 'sluice test',
    connectTimeoutMs: 10_000,
    inactivityTimeoutMs: 60_000,
    statementTimeoutMs: 0,
    lockTimeoutMs: 0,
    rowSecurity: 'refuse',
    fetchSize: 0,
    ...options,
  });
  created.push(source);
  return source;
}

export interface Result {
  readonly columns: readonly Column[];
  readonly rows: Row[];
  readonly batches: number;
}

/** Everything that a model sends, decoded; the source is closed in the end. */
export async function readAll(
  url: string,
  sql: string,
  options: Partial<PostgresSourceOptions> = {},
): Promise<Result> {
  const source = createSource(url, sql, options);
  try {
    const { columns } = await source.describe();
    const rows: Row[] = [];
    let batches = 0;
    for await (const batch of source.read(columns)) {
      for (const row of fromBatch(batch as RowBatch, columns.length)) rows.push(row);
      batches += 1;
    }
    const end = await source.finish();
    assert.equal(end.rows, rows.length);
    return { columns, rows, batches };
  } finally {
    await source.close();
  }
}

/** Takes batches, and stops at the first one until `open` is called. */
export class Gate extends Writable {
  rows = 0;
  #held: (() => void) | undefined;
  #open: boolean;
  #arrived: () => void = () => {};
  /** Resolves when the first batch is here. */
  readonly reached = new Promise<void>(resolve => {
    this.#arrived = resolve;
  });

  constructor(options: { readonly open: boolean }) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#open = options.open;
  }

  open(): void {
    this.#open = true;
    this.#held?.();
    this.#held = undefined;
  }

  override _write(batch: RowBatch, _encoding: BufferEncoding, done: () => void): void {
    this.rows += batch.rowCount;
    this.#arrived();
    if (this.#open) setImmediate(done);
    else this.#held = done;
  }
}

export interface Reading {
  readonly source: PostgresSource;
  readonly gate: Gate;
  readonly flowing: Promise<EndOfData>;
  readonly abort: AbortController;
  readonly applicationName: string;
}

/**
 * A flow under way: the first rows have reached a sink that goes on taking, or one that
 * has stopped.
 */
export async function startReading(
  url: string,
  { open, sql = ENDLESS, ...options }: Partial<PostgresSourceOptions> & { readonly open: boolean },
): Promise<Reading> {
  const reading = await startFlow(url, { open, sql, ...options });
  await Promise.race([reading.gate.reached, reading.flowing]);
  return reading;
}

/** Every column as it is. */
export function unmapped(columns: readonly Column[]): MappingPlan {
  return { fields: columns, written: columns, keyFields: [] };
}

/** As `startReading`, without waiting for rows. */
export async function startFlow(
  url: string,
  { open, sql = ENDLESS, ...options }: Partial<PostgresSourceOptions> & { readonly open: boolean },
): Promise<Reading> {
  const applicationName = `sluice ${randomUUID()}`;
  const source = createSource(url, sql, { applicationName, ...options });
  const { columns } = await source.describe();
  const gate = new Gate({ open });
  const abort = new AbortController();
  const flowing = flow({ source, mapping: unmapped(columns), sink: gate, signal: abort.signal });
  flowing.catch(() => {}); // the test looks at it later
  return { source, gate, flowing, abort, applicationName };
}

/** Asks the server again and again, a bounded number of times. */
export async function poll(db: TestDatabase, what: string, condition: string): Promise<void> {
  const client = await db.connect();
  try {
    for (let tries = 0; tries < 2_000; tries += 1) {
      const { rows } = await client.query<{ yes: boolean }>(`select (${condition}) as yes`);
      if (rows[0]?.yes === true) return;
      await client.query('select pg_sleep(0.005)');
    }
  } finally {
    await client.end();
  }
  assert.fail(`waited in vain for: ${what}`);
}

/** The server has nowhere to write to: all buffers up to the sink are full. */
export async function backPressured(
  db: TestDatabase,
  { applicationName }: { readonly applicationName: string },
): Promise<void> {
  const blocked = `exists (select from pg_stat_activity where application_name = '${applicationName}'
    and state = 'active' and wait_event = 'ClientWrite')`;
  await poll(db, 'the server blocked by back pressure', blocked);
}

export async function gone(db: TestDatabase, applicationName: string): Promise<void> {
  const absent = `not exists (select from pg_stat_activity where application_name = '${applicationName}')`;
  await poll(db, 'the session gone', absent);
}

export async function pidOf(
  db: TestDatabase,
  { applicationName }: { readonly applicationName: string },
): Promise<number> {
  const found = 'select pid from pg_stat_activity where application_name = $1';
  const [row] = await db.sql<{ pid: number }>(found, [applicationName]);
  assert.ok(row, 'the session is there');
  return row.pid;
}

/** Asserts the rejection with a SluiceError of this code, and gives it back. */
export async function rejectsWith(promise: Promise<unknown>, code: ErrorCode): Promise<SluiceError> {
  let error: unknown;
  await assert.rejects(promise, (cause: unknown) => {
    error = cause;
    return true;
  });
  assert.ok(error instanceof SluiceError, `expected ${code}, saw ${String(error)}`);
  assert.equal(error.code, code, error.message);
  assert.equal(error.stage, 'source');
  return error;
}
