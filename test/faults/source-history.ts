import type { Random } from '../simulation/random.ts';
import type { TestDatabase } from '../support/postgres.ts';

/** What the table holds: name by key. */
export type Rows = ReadonlyMap<number, string>;

interface Version {
  /** From this instant on the table was so. */
  readonly since: number;
  readonly rows: Rows;
}

/**
 * A table `t (id, name)` that changes only between runs, and what it held at each
 * instant.
 */
export class SourceHistory {
  readonly #database: TestDatabase;
  readonly #versions: Version[] = [];
  #values = 0;

  private constructor(database: TestDatabase) {
    this.#database = database;
  }

  static async create(database: TestDatabase, rowCount: number): Promise<SourceHistory> {
    const history = new SourceHistory(database);
    await database.sql('create table t (id int primary key, name text)');
    const rows = Array.from({ length: rowCount }, (_, index) => [index + 1, history.#value()] as const);
    await history.set(new Map(rows));
    return history;
  }

  get rows(): Rows {
    return this.#versions.at(-1)!.rows;
  }

  /** What a run saw whose id is this: ids begin with the instant of the start. */
  at(run: string): Rows {
    const [, year, month, day, hour, minute, second, ms] =
      /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-(\d{3})-/.exec(run) ?? [];
    const instant = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
    const version = this.#versions.findLast(({ since }) => since <= instant);
    if (version === undefined) throw new Error(`nobody knows what run ${run} saw`);
    return version.rows;
  }

  async set(rows: Rows): Promise<void> {
    const values = [...rows].map(([id, name]) => `(${id}, '${name}')`).join(', ');
    await this.#database.sql(`begin; delete from t; ${values && `insert into t values ${values};`} commit`);
    this.#versions.push({ since: Date.now(), rows: new Map(rows) });
  }

  /**
   * At least one row is added, one updated and one removed; keys that were removed come
   * back.
   */
  async change(random: Random): Promise<void> {
    const rows = new Map(this.rows);
    const keys = [...rows.keys()];
    const removed = new Set<number>();
    for (let left = 1 + random.below(3); left > 0; left--) removed.add(random.pick(keys));
    for (const key of removed) rows.delete(key);
    const kept = [...rows.keys()];
    for (let left = 1 + random.below(3); left > 0; left--) rows.set(random.pick(kept), this.#value());
    for (let left = removed.size; left > 0; ) {
      const key = 1 + random.below(40 + 2 * rows.size);
      if (rows.has(key) || removed.has(key)) continue;
      rows.set(key, this.#value());
      left--;
    }
    await this.set(rows);
  }

  #value(): string {
    return `value ${++this.#values}`;
  }
}
