import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { StoreCounts } from './discard-store.ts';

export interface DiscardCounts extends StoreCounts {
  /** CPU of the endpoint's own process since its start. */
  readonly userMs: number;
  readonly systemMs: number;
  readonly peakRssBytes: number;
}

export interface DiscardServer {
  /** Takes any account name, key or SAS; any container exists. */
  readonly accountUrl: string;
  readonly pid: number;
  counts(): Promise<DiscardCounts>;
  /** Forgets blobs and counts, not the CPU time. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export interface DiscardServerOptions {
  /**
   * Keep the contents in temporary files, so that they can be downloaded and verified.
   * Default: discard.
   */
  readonly keep?: boolean;
}

/**
 * Starts the blob endpoint of discard-server-process.ts. It ends with this process at the
 * latest.
 */
export async function startDiscardServer(options: DiscardServerOptions = {}): Promise<DiscardServer> {
  const script = fileURLToPath(new URL('./discard-server-process.ts', import.meta.url));
  const args = ['--import', 'tsx', script, ...(options.keep ? ['--keep'] : [])];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout);
  const ended = once(child, 'exit');
  const first = await Promise.race([once(lines, 'line'), ended.then(() => undefined)]);
  if (first === undefined) throw new Error('the discarding blob endpoint did not start');
  const accountUrl = String(first[0]);
  const call = async (path: string, method: string) => {
    const answer = await fetch(new URL(path, accountUrl), { method });
    if (!answer.ok)
      throw new Error(`${method} ${path} of the discarding blob endpoint gave ${answer.status}`);
    return answer;
  };
  return {
    accountUrl,
    pid: child.pid as number,
    counts: async () => (await (await call('/_counts', 'GET')).json()) as DiscardCounts,
    reset: async () => {
      await call('/_reset', 'POST');
    },
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
