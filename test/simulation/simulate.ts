/**
 * Runs the commit protocol through many seeds:
 *
 *   npm run simulate -- --seeds N     seeds 1 … N
 *   npm run simulate -- --from S      begin there
 *   npm run simulate -- --seed S      this one alone, with all that happens in it
 *
 * Ends with 1 at the first seed that breaks a promise, and prints its trace.
 */
import { parseArgs } from 'node:util';
import { simulate, type Tally } from './simulation.ts';

const PROGRESS_MS = 5000;

// Most errors here are meant to happen, and their stacks take time.
Error.stackTraceLimit = 0;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '100000' },
      seed: { type: 'string' },
      from: { type: 'string', default: '1' },
    },
  });
  if (values.seed !== undefined) {
    const result = await simulate(Number(values.seed), { traced: true });
    print([...result.trace, result.violation ?? 'all is well']);
    return result.violation === undefined ? 0 : 1;
  }
  const from = Number(values.from);
  return runSeeds(from, from + Number(values.seeds));
}

async function runSeeds(from: number, end: number): Promise<number> {
  const began = performance.now();
  let told = began;
  const total: Tally = { steps: 0, starts: 0, crashes: 0, done: 0, recovered: 0, failed: {} };
  const report = (done: number): void => {
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage();
    const rate = Math.round(done / seconds);
    const cpuRate = Math.round(done / ((user + system) / 1e6));
    print([
      `${done} of ${end - from} seeds, ${seconds.toFixed(1)} s, ${rate} seeds/s (${cpuRate} by CPU time)`,
    ]);
  };
  for (let seed = from; seed < end; seed++) {
    const { violation, tally } = await simulate(seed);
    if (violation !== undefined) return fail(seed);
    addTo(total, tally);
    if (performance.now() - told < PROGRESS_MS) continue;
    told = performance.now();
    report(seed - from + 1);
  }
  report(end - from);
  print([JSON.stringify(total)]);
  return 0;
}

function addTo(total: Tally, { steps, starts, crashes, done, recovered, failed }: Tally): void {
  total.steps += steps;
  total.starts += starts;
  total.crashes += crashes;
  total.done += done;
  total.recovered += recovered;
  for (const [code, times] of Object.entries(failed)) total.failed[code] = (total.failed[code] ?? 0) + times;
}

async function fail(seed: number): Promise<number> {
  const { trace, violation } = await simulate(seed, { traced: true });
  print([...trace, '', `seed ${seed}: ${violation}`, `again: npm run simulate -- --seed ${seed}`]);
  return 1;
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
