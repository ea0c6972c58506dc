import type { HeldReason } from '../../history/run-record.ts';
import type { CommandContext } from '../command-context.ts';

/** What a person looks at, or does, once a run is held for that reason. */
const AFTER_HELD: Readonly<Record<HeldReason, (name: string) => string>> = {
  SOURCE_EMPTY: name => `run ${name} --allow-removals`,
  REMOVALS_OVER: name => `run ${name} --allow-removals`,
  STATE_LOST: name => `state backups ${name}`,
  SOURCE_MOVED: name => `validate ${name}`,
};

/** Suggests commands to a person at the terminal, as they are to be typed. */
export function suggestNext({ terminal, configPath }: CommandContext, ...commands: readonly string[]): void {
  const config = configPath === DEFAULT_CONFIG ? '' : `--config ${configPath} `;
  terminal.hint(`next: ${commands.map(command => `sluice ${config}${command}`).join(', or ')}`);
}

/** `on` is the daemon that made the run. */
export function suggestAfterHeld(
  name: string,
  reason: HeldReason,
  context: CommandContext,
  on?: string,
): void {
  const next = AFTER_HELD[reason](name);
  const isRun = next.startsWith('run ');
  suggestNext(context, `explain ${reason}`, isRun && on !== undefined ? `${next} --on ${on}` : next);
}

export const DEFAULT_CONFIG = 'sluice.yaml';
