import { readFileSync } from 'node:fs';
import pg from 'pg';

const TICKS_PER_SECOND = 100;

export interface ServerCpu {
  /** CPU time of all sessions that have ended. */
  endedMs(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Reads what the sessions of a server on this machine took, by a session of its own that
 * stays open. To be called while nobody else is connected; needs Linux.
 */
export async function watchServerCpu(url: string): Promise<ServerCpu> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(`select pg_read_file('postmaster.pid') as pid`);
  const postmaster = Number.parseInt(rows[0].pid, 10);
  const present = childrenOf(postmaster);
  return {
    async endedMs() {
      // The server counts a session once it has taken note of its end.
      while (childrenOf(postmaster) > present) await client.query('select pg_sleep(0.01)');
      const stat = readFileSync(`/proc/${postmaster}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // Fields 16 and 17 of proc(5), of which the first two are cut off.
      return ((Number(fields[13]) + Number(fields[14])) * 1000) / TICKS_PER_SECOND;
    },
    stop: () => client.end(),
  };
}

/** Processes that have ended and were not taken note of are among them. */
function childrenOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.split(' ').filter(child => child !== '').length;
}
