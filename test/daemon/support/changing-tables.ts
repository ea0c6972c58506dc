import type pg from 'pg';
import type { Rows } from '../../faults/source-history.ts';
import type { Random } from '../../simulation/random.ts';
import type { TestDatabase } from '../../support/postgres.ts';

/**
 * Keys above it are versions: each change removes the one before and adds its own, so
 * that a run shows which it saw.
 */
const VERSION_KEYS = 1_000_000;
const KEYS = 60;

/**
 * Tables `(id, name)` that change at any moment, and the log of all changes that the
 * database itself keeps.
 */
export class ChangingTables {
  readonly #database: TestDatabase;
  /** One of each table, as many changes a second would make many. */
  readonly #connections = new Map<string, pg.Client>();
  readonly #versions = new Map<string, number>();
  #values = 0;

  private constructor(database: TestDatabase) {
    this.#database = database;
  }

  static async create(database: TestDatabase, tables: readonly string[]): Promise<ChangingTables> {
    await database.sql(`
      create table log (place bigserial primary key, tab text, op text, id int, name text);
      create function keep() returns trigger language plpgsql as $$
        begin
          insert into log (tab, op, id, name)
            values (tg_table_name, tg_op, case tg_op when 'DELETE' then old.id else new.id end,
              case tg_op when 'DELETE' then null else new.name end);
          return null;
        end $$`);
    const made = new ChangingTables(database);
    for (const table of tables) {
      await database.sql(`create table ${table} (id int primary key, name text);
        create trigger keep after insert or update or delete on ${table} for each row execute function keep()`);
      made.#versions.set(table, 0);
      made.#connections.set(table, await database.connect());
      await made.#commit(table, [made.#put(table, 1), made.#put(table, 2), made.#put(table, 3)]);
    }
    return made;
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#connections.values(), connection => connection.end()));
  }

  /**
   * Adds, updates and removes a few rows, in one transaction. One change of a table at a
   * time.
   */
  change(table: string, random: Random): Promise<void> {
    const statements: string[] = [];
    for (let left = 1 + random.below(6); left > 0; left--) {
      const key = 1 + random.below(KEYS);
      statements.push(random.chance(0.35) ? `delete from ${table} where id = ${key}` : this.#put(table, key));
    }
    return this.#commit(table, statements);
  }

  /**
   * What the table held after each change, as the database's log tells it; by version.
   */
  async versions(table: string): Promise<ReadonlyMap<number, Rows>> {
    const log = await this.#database.sql<{ op: string; id: number; name: string }>(
      'select op, id, name from log where tab = $1 order by place',
      [table],
    );
    const rows = new Map<number, string>();
    const versions = new Map<number, Rows>();
    for (const { op, id, name } of log) {
      if (op === 'DELETE') rows.delete(id);
      else rows.set(id, name);
      if (op === 'INSERT' && id > VERSION_KEYS) versions.set(id - VERSION_KEYS, new Map(rows));
    }
    return versions;
  }

  #put(table: string, key: number): string {
    const name = `value ${++this.#values}`;
    return `insert into ${table} values (${key}, '${name}') on conflict (id) do update set name = excluded.name`;
  }

  async #commit(table: string, statements: readonly string[]): Promise<void> {
    const version = this.#versions.get(table)! + 1;
    this.#versions.set(table, version);
    const parts = [`delete from ${table} where id > ${VERSION_KEYS}`, ...statements];
    const marker = `insert into ${table} values (${VERSION_KEYS + version}, 'version ${version}')`;
    await this.#connections.get(table)!.query(`begin; ${[...parts, marker].join('; ')}; commit`);
  }
}

/** The version among keys that a run wrote; `undefined` where it wrote none. */
export function versionAmong(keys: readonly number[]): number | undefined {
  const versions = keys.filter(key => key > VERSION_KEYS).map(key => key - VERSION_KEYS);
  return versions.length === 0 ? undefined : Math.max(...versions);
}
