/**
 * Random histories of a table, and what a run has to find of each: nothing of it depends
 * on how changes are found.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type pg from 'pg';
import { COLUMNS, type SyncMode, TableRuns, textOf } from './table-runs.ts';

/** One random number after the other, of a seed. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

/** Sessions of a history, which come and go in any order. */
export interface Sessions {
  readonly url: string;
  /** Each may be within a transaction. */
  readonly writers: readonly pg.Client[];
  /** Never within one. */
  readonly admin: pg.Client;
}

export interface HistoryOptions {
  /** Where baselines and logs are kept. */
  readonly folder: string;
  /** How many rows there are at the beginning; a few by default. */
  readonly rows?: number | undefined;
}

export interface HistoryResult {
  readonly runs: number;
  readonly xminRuns: number;
}

/** How many keys there are to choose from, where not very many rows are wanted. */
const KEYS = 12;

/**
 * Plays the history of a seed; throws with the seed where a run finds anything else than
 * what has changed.
 */
export async function playHistory(
  seed: number,
  sessions: Sessions,
  { folder, rows }: HistoryOptions,
): Promise<HistoryResult> {
  const history = new History(seed, sessions, { folder, rows });
  try {
    return await history.play();
  } catch (error) {
    const { message, stack } = error as Error;
    throw new Error(`history ${seed}: ${message}\n${history.told.join(';\n')}\n${stack}`);
  }
}

class History {
  readonly #chance: Chance;
  readonly #sessions: Sessions;
  readonly #folder: string;
  readonly #rows: number | undefined;
  readonly #keys: number;
  readonly #table: string;
  readonly #isPartitioned: boolean;
  readonly #where: string | undefined;
  readonly #syncMode: SyncMode;
  /** How many savepoints each writer has set; -1 outside of a transaction. */
  readonly #depth: number[];
  readonly #prepared: string[] = [];
  #name = 0;
  #isAttached = false;
  /** Rows of the last run, by key; with `insert` all that ever were. */
  #before = new Map<string, string>();
  readonly told: string[] = [];

  constructor(seed: number, sessions: Sessions, { folder, rows }: HistoryOptions) {
    this.#chance = new Chance(seed);
    this.#sessions = sessions;
    this.#rows = rows;
    this.#keys = rows === undefined ? KEYS : rows + KEYS;
    this.#folder = join(folder, String(seed));
    this.#table = `t${seed}`;
    this.#isPartitioned = this.#chance.below(5) === 0;
    this.#where = this.#chance.of([undefined, undefined, `n >= 3 and v <> 'hidden'`, 'n is not null']);
    this.#syncMode = this.#chance.of(['difference', 'difference', 'upsert', 'insert'] as const);
    this.#depth = sessions.writers.map(() => -1);
  }

  async play(): Promise<HistoryResult> {
    await this.#create();
    const runs = await TableRuns.open({
      url: this.#sessions.url,
      table: this.#table,
      where: this.#where,
      syncMode: this.#syncMode,
      folder: this.#folder,
      fullCompareEvery: this.#chance.of([3, 1_000_000]),
      stateMemoryBytes: this.#chance.of([2 ** 26, 300_000]),
    });
    const result = { runs: 0, xminRuns: 0 };
    try {
      for (let round = 0; round < 4; round++) {
        for (let step = this.#chance.below(7); step > 0; step--) await this.#step();
        const found = await runs.run();
        this.told.push(`-- run: ${found.mode} ${found.reason ?? ''} ${found.candidates ?? ''}`);
        await this.#compare(found);
        result.runs++;
        if (found.mode === 'xmin') result.xminRuns++;
      }
      return result;
    } finally {
      await runs.close();
      await this.#end();
    }
  }

  async #create(): Promise<void> {
    const t = this.#table;
    const parts = this.#isPartitioned
      ? ` partition by list (n); create table ${t}_rest partition of ${t} default;
          create table ${t}_other (like ${t} including all); insert into ${t}_other select i, 'other', 99 from generate_series(20, 22) i`
      : '';
    const key = this.#isPartitioned ? 'primary key (id, n)' : 'primary key (id)';
    const rows = this.#rows ?? this.#chance.below(KEYS);
    const create = `create table ${t} (id int, v text, n int ${this.#isPartitioned ? '' : 'default 5'}, ${key})${parts};
      insert into ${t} select i, 'v' || i, i % 7 from generate_series(1, ${rows}) i`;
    this.told.push(create);
    // Others may have a lock on the catalogue for a moment.
    await this.#sessions.admin.query(`set lock_timeout = 0; ${create}; set lock_timeout = '1ms'`);
  }

  async #step(): Promise<void> {
    const writer = this.#chance.below(this.#sessions.writers.length);
    const kind = this.#chance.below(30);
    if (kind < 17) return this.#write(writer);
    if (kind < 24) return this.#transaction(writer);
    return this.#maintain();
  }

  async #write(writer: number): Promise<void> {
    const t = this.#table;
    const key = this.#chance.below(this.#keys);
    const value = this.#chance.of(['a', 'b', 'hidden', '']);
    const n = this.#chance.below(9);
    await this.#as(
      writer,
      this.#chance.of([
        `insert into ${t} values (${key}, '${value}', ${n})`,
        `insert into ${t} values (${key}, '${value}', ${n}) on conflict do nothing`,
        `update ${t} set v = '${value}' where id = ${key}`,
        `update ${t} set v = v where id >= ${key}`,
        `update ${t} set n = ${n} where id = ${key}`,
        `update ${t} set id = ${this.#chance.below(this.#keys)} where id = ${key}`,
        `delete from ${t} where id = ${key}`,
        `delete from ${t} where id > ${key}`,
        `delete from ${t} where id = ${key}; insert into ${t} values (${key}, 'again', ${n})`,
        `select * from ${t} where id = ${key} for update`,
        `select * from ${t} where id < ${key} for key share`,
        `do $$ begin begin update ${t} set v = 'sub' where id = ${key}; exception when others then null; end; end $$`,
        `do $$ begin begin update ${t} set v = 'undone' where id = ${key}; raise 'no'; exception when raise_exception then null; end; end $$`,
      ]),
    );
  }

  async #transaction(writer: number): Promise<void> {
    const depth = this.#depth[writer]!;
    if (depth < 0) {
      await this.#as(writer, 'begin');
      this.#depth[writer] = 0;
      return this.#write(writer);
    }
    switch (this.#chance.below(6)) {
      case 0:
        await this.#as(writer, `savepoint s${depth}`);
        if (this.#depth[writer]! >= 0) this.#depth[writer] = depth + 1;
        return this.#write(writer);
      case 1:
        if (depth > 0) await this.#as(writer, `rollback to s${depth - 1}`);
        return;
      case 2:
        return this.#prepare(writer);
      case 3:
        return this.#leave(writer, 'rollback');
      default:
        return this.#leave(writer, 'commit');
    }
  }

  async #leave(writer: number, how: 'commit' | 'rollback'): Promise<void> {
    await this.#as(writer, how);
    this.#depth[writer] = -1;
  }

  async #prepare(writer: number): Promise<void> {
    const name = `${this.#table}_${this.#name++}`;
    await this.#as(writer, `prepare transaction '${name}'`);
    if (this.#depth[writer]! >= 0) this.#prepared.push(name);
    this.#depth[writer] = -1;
  }

  async #maintain(): Promise<void> {
    const t = this.#table;
    const prepared = this.#prepared.pop();
    if (prepared !== undefined)
      return this.#admin(`${this.#chance.of(['commit', 'commit', 'rollback'])} prepared '${prepared}'`);
    const plain = [
      `vacuum ${t}`,
      `vacuum (freeze) ${t}`,
      `vacuum (full, freeze) ${t}`,
      `truncate ${t}`,
      `truncate ${t}; insert into ${t} values (1, 'v1', 1)`,
      `begin; truncate ${t}; rollback`,
      `select pg_current_xact_id()`,
      `alter table ${t} add column c${this.#name++} int default 7`,
      `alter table ${t} alter column v type varchar(50)`,
      `alter table ${t} alter column v type text using v || '!'`,
      `begin; create temp table kept on commit drop as select * from ${t}; truncate ${t}; insert into ${t} select * from kept; commit`,
    ];
    const alone = [`cluster ${t} using ${t}_pkey`, `alter table ${t} set (fillfactor = 50)`];
    const attached = this.#isAttached
      ? `alter table ${t} detach partition ${t}_other`
      : `alter table ${t} attach partition ${t}_other for values in (99)`;
    const statement = this.#chance.of([...plain, ...(this.#isPartitioned ? [attached, attached] : alone)]);
    const isDone = await this.#tries(this.#sessions.admin, statement);
    if (statement === attached && isDone) this.#isAttached = !this.#isAttached;
  }

  async #admin(statement: string): Promise<void> {
    await this.#tries(this.#sessions.admin, statement);
  }

  /** What fails ends the writer's transaction. */
  async #as(writer: number, statement: string): Promise<void> {
    const client = this.#sessions.writers[writer]!;
    if (await this.#tries(client, statement)) return;
    await client.query('rollback');
    this.#depth[writer] = -1;
  }

  /** Locks of others are not waited for. */
  async #tries(client: pg.Client, statement: string): Promise<boolean> {
    const told = `${this.#sessions.writers.indexOf(client)}: ${statement}`;
    try {
      for (const part of statement.startsWith('vacuum') || statement.startsWith('do ')
        ? [statement]
        : statement.split(';'))
        await client.query(part);
      this.told.push(told);
      return true;
    } catch (error) {
      this.told.push(`${told} -- ${(error as Error).message}`);
      if (client === this.#sessions.admin) await client.query('rollback');
      return false;
    }
  }

  async #compare(found: Awaited<ReturnType<TableRuns['run']>>): Promise<void> {
    const filter = this.#where === undefined ? '' : `where ${this.#where}`;
    const { rows } = await this.#sessions.admin.query({
      text: `select ${COLUMNS.join()} from ${this.#table} ${filter}`,
      rowMode: 'array',
    });
    const texts = rows.map((row: unknown[]) => row.map(value => (value === null ? null : String(value))));
    const key = (row: (string | null)[]): string =>
      JSON.stringify(this.#isPartitioned ? [row[0], row[2]] : [row[0]]);
    const now = new Map(texts.map(row => [key(row), textOf(row)]));
    const before = this.#before;
    const isInsert = this.#syncMode === 'insert';
    const added = [...now].filter(([id]) => !before.has(id)).map(([, row]) => row);
    const updated = [...now]
      .filter(([id, row]) => before.has(id) && before.get(id) !== row)
      .map(([, row]) => row);
    const gone = [...before].filter(([id]) => !now.has(id)).map(([, row]) => row);
    this.#before = isInsert ? new Map([...before, ...now]) : now;
    assert.deepEqual(
      { added: found.added, updated: found.updated },
      { added: added.sort(), updated: isInsert ? [] : updated.sort() },
    );
    if (this.#syncMode === 'difference') assert.deepEqual(found.removed, gone.sort());
    const { read, removed } = found.counts;
    assert.deepEqual({ read, removed }, { read: now.size, removed: isInsert ? 0 : gone.length });
  }

  async #end(): Promise<void> {
    for (const writer of this.#sessions.writers) await writer.query('rollback');
    for (const name of this.#prepared) await this.#admin(`rollback prepared '${name}'`);
    await this.#admin(`drop table if exists ${this.#table}, ${this.#table}_other`);
  }
}
