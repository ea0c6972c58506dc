/**
 * Kills runs at random moments under random faults of the network, changes the source in
 * between, and asks the oracle after each success.
 *
 *   npx tsx test/faults/random-kills.ts [--kills 300] [--seed N] [--at-once 2]
 */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../simulation/random.ts';
import { BlobFaults, FAULT_MODES } from './blob-faults.ts';
import { CheckedExport, type Settings } from './checked-export.ts';
import { ChildRuns } from './child-runs.ts';

const FAULT_PROBABILITY = 0.05;
/**
 * An export and its history are looked at as a whole, so no history grows without end.
 */
const KILLS_PER_EXPORT = 20;
const EXIT_PATIENCE_MS = 10_000;

const DELTA = { runType: 'full_then_delta' };
const CASES: readonly Settings[] = [
  { ...DELTA, syncMode: 'difference' },
  { ...DELTA, syncMode: 'upsert', maxFileRows: 1 },
  { maxFileRows: 5 },
  { ...DELTA, syncMode: 'insert', maxFileRows: 2 },
  { ...DELTA, syncMode: 'difference', maxFileRows: 2, format: { type: 'csv', engine: 'library' } },
];

export interface KillTotals {
  /** Processes that were killed, and those that were done before. */
  killed: number;
  survived: number;
  /** Runs that were finished by a later one. */
  recovered: number;
  generations: number;
  readonly faults: Record<string, number>;
}

export async function killAtRandom(kills: number, seed: number, atOnce: number): Promise<KillTotals> {
  const totals: KillTotals = { killed: 0, survived: 0, recovered: 0, generations: 0, faults: {} };
  const tasks: (() => Promise<void>)[] = [];
  for (let left = kills, number = 0; left > 0; left -= KILLS_PER_EXPORT, number++) {
    const settings = CASES[number % CASES.length]!;
    const random = new Random(seed * 1000 + number);
    tasks.push(() => oneExport(Math.min(left, KILLS_PER_EXPORT), random, settings, totals));
  }
  const work = async (): Promise<void> => {
    for (let task = tasks.shift(); task; task = tasks.shift()) await task();
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return totals;
}

async function oneExport(
  kills: number,
  random: Random,
  settings: Settings,
  totals: KillTotals,
): Promise<void> {
  const subject = await CheckedExport.open({ settings });
  const children = await ChildRuns.open();
  const faults = new BlobFaults(subject.rulesOrigin);
  const did: string[] = [];
  // Learnt from those that are not killed.
  let usualMs = 400;
  try {
    if (random.chance(0.5)) await subject.succeed();
    for (let killed = 0; killed < kills; ) {
      if (random.chance(0.8)) await subject.source.change(random);
      // Sometimes several in a row, so that recovery is killed too.
      for (let again = true; again && killed < kills; again = random.chance(0.25)) {
        subject.blobs.setHook(faults.hook(random, FAULT_PROBABILITY, { delays: true }));
        const { outcome, ms, how } = await runAndKill(subject, children, random, usualMs);
        did.push(`${how}: ${outcome === undefined ? 'killed' : outcome}`);
        if (outcome === undefined) killed++;
        else {
          usualMs = 0.7 * usualMs + 0.3 * ms;
          totals.survived++;
        }
      }
      subject.blobs.setHook(faults.hook(random, FAULT_PROBABILITY, { delays: false }));
      const { recovered } = await subject.succeed();
      totals.recovered += recovered.length;
      did.push(`run: succeeded, ${recovered.length} recovered`);
      if (random.chance(0.5)) {
        await faults.deliverDelayed();
        await subject.oracle.checkVisible();
      }
    }
    await faults.deliverDelayed();
    subject.blobs.setHook(undefined);
    await subject.expectNoChange();
    totals.killed += kills;
    totals.generations += subject.oracle.generations.length;
    for (const mode of FAULT_MODES) totals.faults[mode] = (totals.faults[mode] ?? 0) + faults.counts[mode];
  } catch (error) {
    throw new Error(`${JSON.stringify(settings)} after:\n  ${did.join('\n  ')}`, { cause: error });
  } finally {
    await faults.deliverDelayed();
    children.close();
    await subject.close();
  }
}

/** At a random time, or a moment after a random request has come in. */
async function runAndKill(
  subject: CheckedExport,
  children: ChildRuns,
  random: Random,
  usualMs: number,
): Promise<{ outcome: string | undefined; ms: number; how: string }> {
  const byTime = random.chance(0.4);
  const delayMs = byTime ? random.below(usualMs * 1.2) : random.below(12);
  const requests = byTime ? 0 : 1 + random.below(18);
  let kill = (): void => {};
  let started = 0;
  let timer: NodeJS.Timeout | undefined;
  const first = subject.blobs.requests.length;
  if (!byTime) {
    const isThere = (): boolean => subject.blobs.requests.length >= first + requests;
    void subject.blobs.seen(() => isThere()).then(() => (timer = setTimeout(() => kill(), delayMs)));
  }
  // What waits for an answer to a delayed commit waits forever.
  const guard = setTimeout(() => kill(), 3000);
  const { done } = await subject.runChild(children, undefined, {
    onStarted: doKill => {
      kill = doKill;
      started = performance.now();
      if (byTime) timer = setTimeout(kill, delayMs);
    },
  });
  clearTimeout(guard);
  clearTimeout(timer);
  const how = byTime ? `kill after ${delayMs} ms` : `kill ${delayMs} ms after request ${requests}`;
  return { outcome: done?.record.state, ms: performance.now() - started, how };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '300' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      'at-once': { type: 'string', default: '2' },
    },
  });
  const seed = Number(values.seed);
  const say = (text: string): boolean => process.stdout.write(`${text}\n`);
  say(`seed ${seed}`);
  const start = performance.now();
  const totals = await killAtRandom(Number(values.kills), seed, Number(values['at-once']));
  say(`${JSON.stringify(totals)} in ${Math.round((performance.now() - start) / 1000)} s`);
  // Nothing is left to do: what keeps the process alive is a defect, to be told rather
  // than ended.
  const tell = (): boolean => say(`still alive: ${process.getActiveResourcesInfo().join(', ')}`);
  setTimeout(tell, EXIT_PATIENCE_MS).unref();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
