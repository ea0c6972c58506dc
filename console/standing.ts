import type { Activation, RunState } from './api-types.ts';

/** How an activation stands, in the order of who needs somebody most. */
export const STANDINGS = [
  'failing',
  'held',
  'warned',
  'paused',
  'running',
  'waiting',
  'new',
  'fine',
] as const;
export type Standing = (typeof STANDINGS)[number];

/** Every state that is shown: each has a word, a shape and a colour of its own. */
export type Shown = Standing | RunState;

const HINTS: Readonly<Record<Standing, string>> = {
  failing: 'The last run failed, or no run can begin.',
  held: 'A run waits for somebody to say that it is meant.',
  warned: 'It works, and something should be looked at.',
  paused: 'No run begins until it is resumed.',
  running: 'A run is under way.',
  waiting: 'A run waits for its turn.',
  new: 'It never ran.',
  fine: 'The last run did what it should.',
};

export const standingHint = (standing: Standing): string => HINTS[standing];

export function standingOf({ lastRun, paused, running, queued, warnings }: Activation): Standing {
  if (paused?.by === 'failures') return 'failing';
  if (lastRun?.state === 'held') return 'held';
  if (lastRun?.state === 'failed') return 'failing';
  if (paused) return 'paused';
  if (warnings.length > 0) return 'warned';
  if (running !== undefined) return 'running';
  if (queued.length > 0) return 'waiting';
  return lastRun === undefined ? 'new' : 'fine';
}

export function isProblem(standing: Standing): boolean {
  return standing === 'failing' || standing === 'held' || standing === 'warned';
}

export function byNeed(a: Activation, b: Activation): number {
  const order = STANDINGS.indexOf(standingOf(a)) - STANDINGS.indexOf(standingOf(b));
  return order !== 0 ? order : a.name < b.name ? -1 : 1;
}
