/**
 * Runs the commit protocol through many seeds:
 *
 *   npm run simulate -- --seeds N       seeds 1 … N
 *   npm run simulate -- --from S        begin there
 *   npm run simulate -- --seed S        this one alone, with all that happens in it
 *   npm run simulate -- --processes P   as many at a time, not one a core
 *
 * Ends with 1 at the first seed that breaks a promise, and prints its trace.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';
import { addTo, newTally, type Tally } from './tally.ts';

const PROGRESS_MS = 5000;
/** Seeds that a process is given at a time. */
const SHARE = 250;

interface Share {
  readonly from: number;
  readonly end: number;
}

interface Answer {
  readonly tally: Tally;
  readonly cpuMs: number;
  /** The first seed that breaks a promise. */
  readonly broken?: number;
}

// Most errors here are meant to happen, and their stacks take time.
Error.stackTraceLimit = 0;

if (process.send === undefined) process.exitCode = await main();
else process.on('message', (share: Share) => void goThrough(share).then(answer => process.send!(answer)));

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '100000' },
      seed: { type: 'string' },
      from: { type: 'string', default: '1' },
      processes: { type: 'string', default: String(availableParallelism()) },
    },
  });
  if (values.seed !== undefined) return show(Number(values.seed));
  const from = Number(values.from);
  return share({ from, end: from + Number(values.seeds) }, Number(values.processes));
}

async function show(seed: number): Promise<number> {
  const { trace, violation } = await simulate(seed, { traced: true });
  print([...trace, violation ?? 'all is well']);
  return violation === undefined ? 0 : 1;
}

/** Shares the seeds out among processes. */
async function share({ from, end }: Share, processes: number): Promise<number> {
  const began = performance.now();
  const total = newTally();
  let next = from;
  let done = 0;
  let cpuMs = 0;
  let broken: number | undefined;
  const report = (): void => {
    const seconds = (performance.now() - began) / 1000;
    const rate = Math.round(done / seconds);
    const cpuRate = Math.round((1000 * done) / cpuMs);
    print([
      `${done} of ${end - from} seeds, ${seconds.toFixed(1)} s, ${rate} seeds/s (${cpuRate} by CPU time of one core)`,
    ]);
  };
  const timer = setInterval(report, PROGRESS_MS);
  const keepBusy = async (): Promise<void> => {
    const worker = fork(import.meta.filename);
    try {
      while (next < end && broken === undefined) {
        const given = { from: next, end: Math.min(end, next + SHARE) };
        next = given.end;
        const answer = await ask(worker, given);
        addTo(total, answer.tally);
        done += given.end - given.from;
        cpuMs += answer.cpuMs;
        broken ??= answer.broken;
      }
    } finally {
      worker.disconnect();
    }
  };
  await Promise.all(Array.from({ length: processes }, keepBusy)).finally(() => clearInterval(timer));
  if (broken !== undefined) {
    await show(broken);
    print([`again: npm run simulate -- --seed ${broken}`]);
    return 1;
  }
  report();
  print([JSON.stringify(total)]);
  return 0;
}

function ask(worker: ChildProcess, given: Share): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error(`the process for the seeds from ${given.from} on has ended`));
    worker.once('exit', onExit);
    worker.once('message', answer => {
      worker.off('exit', onExit);
      resolve(answer as Answer);
    });
    worker.send(given);
  });
}

async function goThrough({ from, end }: Share): Promise<Answer> {
  const before = process.cpuUsage();
  const total = newTally();
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  for (let seed = from; seed < end; seed++) {
    const { violation, tally } = await simulate(seed);
    if (violation !== undefined) return { tally: total, cpuMs: cpuMs(), broken: seed };
    addTo(total, tally);
  }
  return { tally: total, cpuMs: cpuMs() };
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
