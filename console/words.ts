import { hasEnded } from '../src/history/run-state.ts';
import type { Activation, ListedRun, RunCounts } from './api-types.ts';
import { ago, clock, count, rows, span } from './format.ts';
import type { Shown } from './standing.ts';

/** What the console says of things, in the words of the glossary. */

const WORDS: Readonly<Record<Shown, string>> = {
  failing: 'failing',
  held: 'held',
  warned: 'warned',
  paused: 'paused',
  running: 'running',
  waiting: 'waiting',
  new: 'never ran',
  fine: 'fine',
  queued: 'queued',
  reading: 'reading',
  publishing: 'publishing',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
  recovered: 'recovered',
};

export const wordOf = (shown: Shown): string => WORDS[shown];

export function secondsOf(run: ListedRun, at: number): number {
  const end = run.endedAt === undefined ? at : Date.parse(run.endedAt);
  return Math.max(0, (end - Date.parse(run.startedAt)) / 1000);
}

/** What a run changed, or what it wrote where it compares nothing. */
export function changesOf(counts: Pick<RunCounts, 'added' | 'updated' | 'removed' | 'written'>): string {
  const { added, updated, removed, written } = counts;
  const told = [
    added > 0 ? `${count(added)} added` : '',
    updated > 0 ? `${count(updated)} updated` : '',
    removed > 0 ? `${count(removed)} removed` : '',
  ].filter(text => text !== '');
  return told.length === 0 ? (written > 0 ? `${rows(written)} written` : 'nothing changed') : told.join(', ');
}

export function heldMessage(run: ListedRun): string {
  return (
    run.warnings.find(({ code }) => code === 'HELD')?.message ?? run.error?.message ?? 'the run was held'
  );
}

export function isFull({ full, runType }: Pick<ListedRun, 'full' | 'runType'>): boolean {
  return full || runType === 'full_only';
}

/** What came of a run, in one sentence. */
export function outcomeOf(run: ListedRun, at: number): string {
  const took = span(secondsOf(run, at));
  const kind = isFull(run) ? 'a full export' : 'a delta';
  switch (run.state) {
    case 'queued':
      return run.retryAt === undefined
        ? 'It waits for its turn.'
        : `An attempt came to nothing. The next one begins ${ago(run.retryAt, at)}.`;
    case 'reading':
      return 'It reads the source. Nothing of it is visible until all of it is staged.';
    case 'publishing':
      return 'All rows are staged. The files are switched in now.';
    case 'succeeded':
      return `It took ${took} and made ${kind}: ${changesOf(run.counts)}.`;
    case 'recovered':
      return `It was interrupted after it was decided, and has been finished since: ${changesOf(run.counts)}.`;
    case 'failed':
      return `It failed after ${took}. Nothing was published, and the baseline is as it was.`;
    case 'held':
      return 'It waits for you to say that this is meant. Nothing was published, and the baseline is as it was.';
    case 'cancelled':
      return `It was stopped after ${took}. Nothing was published, and the baseline is as it was.`;
  }
}

/** How an activation stands and what happens next. */
export function situationOf(activation: Activation, at: number, utc: boolean): string {
  const { paused, lastRun, running, queued, nextRunAt, warnings } = activation;
  const next =
    nextRunAt === undefined ? '' : ` The next run is due ${ago(nextRunAt, at)}, at ${clock(nextRunAt, utc)}.`;
  const busy =
    running !== undefined ? ' A run is under way.' : queued.length > 0 ? ' A run waits for its turn.' : '';
  if (paused?.by === 'failures')
    return `It paused itself ${ago(paused.since, at)}: ${trimmed(paused.reason)}. It tries again by itself, and resumes when its source answers.`;
  if (paused)
    return `It was paused ${ago(paused.since, at)}: ${trimmed(paused.reason)}. No run begins until it is resumed.`;
  if (lastRun === undefined) return `It never ran.${busy}${next}`;
  const when = ago(lastRun.endedAt ?? lastRun.startedAt, at);
  switch (lastRun.state) {
    case 'held':
      return `A run was held ${when}: ${trimmed(heldMessage(lastRun))}.${busy}${next}`;
    case 'failed':
      return `The last run failed ${when}: ${trimmed(lastRun.error?.message ?? 'no reason is known')}.${busy}${next}`;
    case 'cancelled':
      return `The last run was cancelled ${when}.${busy}${next}`;
    default: {
      const also =
        warnings.length === 0
          ? ''
          : ` ${warnings.length === 1 ? 'One warning holds' : `${warnings.length} warnings hold`}.`;
      const ended = hasEnded(lastRun) ? `The last run ended well ${when}: ${changesOf(lastRun.counts)}.` : '';
      return `${ended}${also}${busy}${next}`;
    }
  }
}

/** What the console itself has a way for is not said for the command. */
export function releaseWords({ reason, activation }: ListedRun): string {
  return reason === 'STATE_LOST' || reason === 'SOURCE_MOVED'
    ? `find out why first. If it is meant, export in full here, or with: sluice run ${activation} --full`
    : `look at the source first. If the removals are meant, allow them here, or with: sluice run ${activation} --allow-removals`;
}

export function capital(text: string): string {
  return text === '' ? text : text[0]!.toUpperCase() + text.slice(1);
}

/** The first line, without the stop that the sentence has. */
function trimmed(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/\.$/, '');
}

const SERIOUS = new Set(['RUN_FAILED', 'RUN_UNFINISHED', 'HELD', 'PAUSED', 'NO_SUCCESS']);

/** Whether no export comes until somebody does something. */
export function isSerious(code: string): boolean {
  return SERIOUS.has(code);
}

/** `RUN_FAILED` is `Run failed`. */
export function titleOf(code: string): string {
  const text = code
    .toLowerCase()
    .replaceAll('_', ' ')
    .replace(/\bsas\b/, 'SAS');
  return text[0]!.toUpperCase() + text.slice(1);
}

const TRIGGERS: Readonly<Record<string, string>> = {
  command: 'the command',
  schedule: 'its schedule',
  http: 'a request',
  library: 'a program',
  demo: 'the demo',
};

export function triggerWords(trigger: string): string {
  return TRIGGERS[trigger] ?? trigger;
}
