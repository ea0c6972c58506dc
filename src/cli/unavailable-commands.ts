/** Commands that are planned and not built yet. Delete a line when its command works. */

export interface UnavailableCommand {
  readonly name: string;
  readonly usage: string;
  readonly description: string;
}

export const UNAVAILABLE_COMMANDS: readonly UnavailableCommand[] = [
  { name: 'serve', usage: '', description: 'the daemon: HTTP API, schedules, console' },
];
