/**
 * What test files take, from the processes that run them to the launcher: a line per
 * file.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

export const USAGE_VARIABLE = 'SLUICE_TEST_USAGE';

export interface Usage {
  readonly file: string;
  readonly seconds: number;
  /** CPU time, that of ended child processes included. */
  readonly cpuSeconds: number;
}

let before = { seconds: 0, cpuSeconds: 0 };

/** Notes what passed since the file before ended, or since the process began. */
export function noteUsage(file: string): void {
  const path = process.env[USAGE_VARIABLE];
  if (path === undefined) return;
  const now = { seconds: performance.now() / 1000, cpuSeconds: cpuSeconds() };
  const usage: Usage = {
    file,
    seconds: now.seconds - before.seconds,
    cpuSeconds: now.cpuSeconds - before.cpuSeconds,
  };
  before = now;
  appendFileSync(path, `${JSON.stringify(usage)}\n`);
}

export function readUsages(path: string | undefined): Usage[] {
  if (path === undefined || !existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Usage);
}

/** CPU time of this process and, where the system says it, of its ended children. */
function cpuSeconds(): number {
  try {
    // After the name in parentheses: utime, stime, cutime and cstime are the 12th to the
    // 15th field, in hundredths.
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const times = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 15);
    return times.reduce((sum, ticks) => sum + Number(ticks) / 100, 0);
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
}
