/** Commands that are planned and not built yet. Delete a line when its command works. */

export interface UnavailableCommand {
  readonly name: string;
  readonly usage: string;
  readonly description: string;
}

export const UNAVAILABLE_COMMANDS: readonly UnavailableCommand[] = [
  { name: 'serve', usage: '', description: 'the daemon: HTTP API, schedules, console' },
  { name: 'runs', usage: '[NAME]', description: 'history of runs' },
  { name: 'show', usage: 'RUN', description: 'one run' },
  { name: 'state', usage: 'show|reset|backup|restore NAME', description: 'the baseline of an activation' },
  { name: 'verify', usage: 'RUN', description: 'reads the published files of a run back' },
];
