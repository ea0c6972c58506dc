/** The states of a run; no run leaves one of the ended ones. */
export const ENDED_STATES = ['succeeded', 'failed', 'held', 'cancelled', 'recovered'] as const;
export const RUN_STATES = ['queued', 'reading', 'publishing', ...ENDED_STATES] as const;

export type RunState = (typeof RUN_STATES)[number];

interface InState {
  readonly state: RunState;
}

const ENDED: ReadonlySet<RunState> = new Set(ENDED_STATES);

export function hasEnded({ state }: InState): boolean {
  return ENDED.has(state);
}

/** Whether it published what it was to publish. */
export function isSuccess({ state }: InState): boolean {
  return state === 'succeeded' || state === 'recovered';
}
