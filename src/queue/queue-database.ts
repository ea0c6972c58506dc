import pg from 'pg';

/** What pg-boss asks its database with. */
export interface QueueDatabase {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  close(): Promise<void>;
}

/** Part of the statement by which pg-boss takes jobs, and only of that one. */
const TAKING = 'group_ranking';
const LOCK = "select pg_advisory_xact_lock(hashtext('sluice_queue'))";

/** A link that is cut is heard of by the statement too. */
const heard = (): void => {};

/**
 * The database of a queue in which one takes slices at a time. The statement that takes
 * them counts those that are being read: two at once would not count each other's.
 */
export function openQueueDatabase(
  config: pg.PoolConfig & { readonly query_timeout: number },
  onError: (error: Error) => void,
): QueueDatabase {
  const pool = new pg.Pool(config);
  pool.on('error', onError);
  const take = async (text: string, values: unknown[] | undefined): Promise<{ rows: unknown[] }> => {
    const client = await pool.connect();
    client.on('error', heard);
    let failure: Error | undefined;
    try {
      await client.query('begin');
      await client.query(LOCK);
      const taken = await client.query(text, values);
      await client.query('commit');
      return taken;
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      client.off('error', heard);
      client.release(failure);
    }
  };
  return {
    executeSql: (text, values) => (text.includes(TAKING) ? take(text, values) : pool.query(text, values)),
    close: () => pool.end(),
  };
}
