/**
 * One run in a process of its own, which is killed: by itself at a step that the job
 * names, or by its parent at any moment. It says `ready` when everything is loaded, takes
 * one job, and says `done` if it lives so long.
 */

import { inspect } from 'node:util';
import { SYSTEM_CLOCK } from '../../src/clock.ts';
import { resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { exportRun } from '../../src/run/export-run.ts';
import { interceptSteps, type Moment } from './protocol-steps.ts';

export interface CrashJob {
  /** Text of the configuration, and the activation to run. */
  readonly config: string;
  readonly activation: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly kill?: KillPoint;
}

/** `turns` lets the step proceed for so many turns of the event loop after its start. */
export interface KillPoint {
  readonly step: string;
  readonly moment: Moment | 'during';
  readonly turns?: number;
}

export type ChildMessage =
  | { readonly what: 'ready' | 'started' }
  | {
      readonly what: 'done';
      readonly record: RunRecord;
      readonly recovered: readonly RunRecord[];
      readonly error: string;
    };

/** An unanswered commit is asked for again soon: what is tested is not patience. */
const PAUSE_DIVISOR = 20;

process.once('message', (job: CrashJob) => {
  void run(job);
});
tell({ what: 'ready' });

async function run({ config, activation, params, kill }: CrashJob): Promise<void> {
  tell({ what: 'started' });
  const { record, recovered, error } = await exportRun({
    activation: resolveActivation(parseConfig({ text: config, environment: {} }).config, activation),
    trigger: 'command',
    ...(params && { params }),
    signal: new AbortController().signal,
    clock: { ...SYSTEM_CLOCK, sleep: ms => SYSTEM_CLOCK.sleep(ms / PAUSE_DIVISOR) },
    intercept: parts =>
      interceptSteps(parts, (step, moment) => {
        if (step !== kill?.step) return;
        if (kill.moment === moment) die();
        if (kill.moment === 'during' && moment === 'before') dieAfter(kill.turns ?? 1);
      }),
  });
  process.send?.(
    { what: 'done', record, recovered, error: inspect(error, { depth: 10 }) } satisfies ChildMessage,
    () => process.exit(),
  );
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function dieAfter(turns: number): void {
  if (turns === 0) die();
  else setImmediate(() => dieAfter(turns - 1));
}

function tell(message: ChildMessage): void {
  process.send?.(message);
}
