import { type Command, InvalidArgumentError } from 'commander';
import type { CommandContext } from '../command-context.ts';

/** Carries a command out; its exit code is that of the program. */
export type Act = (command: (context: CommandContext) => Promise<number>) => Promise<void>;

/**
 * Adds commands to the program. What one does is imported only when it is called, so that
 * each starts fast.
 */
export type Definition = (program: Command, act: Act) => void;

/** Lines that follow the help of a command, each of which works as it stands. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map(line => `  ${line}`).join('\n')}`;
}

export const ON_DAEMON = ['--on <url>', 'ask the daemon there; its token in SLUICE_TOKEN'] as const;

const MAX_ROWS = 10_000;

export function parseRows(text: string): number {
  const rows = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (rows < 1 || rows > MAX_ROWS) throw new InvalidArgumentError(`Expected a number from 1 to ${MAX_ROWS}.`);
  return rows;
}

/** Rows of each change in a plan. */
export function parseSampledRows(text: string): number {
  const rows = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(rows <= 100)) throw new InvalidArgumentError('Expected a number from 0 to 100.');
  return rows;
}

/** The number of a slice. */
export function parseSlice(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('Expected a number from 0 on.');
  return Number(text);
}

const MAX_SLICES = 10_000;

export function parseSlices(text: string): number {
  const slices = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (slices < 1 || slices > MAX_SLICES)
    throw new InvalidArgumentError(`Expected a number from 1 to ${MAX_SLICES}.`);
  return slices;
}

export const PARAM = ['--param <name=value>', 'value of a parameter of the query; may be repeated'] as const;

/** Where there is a baseline for each set of values. */
export const PARAM_OF_SET = [
  '--param <name=value>',
  'value of a parameter, where each set of values has a baseline; may be repeated',
] as const;

/** Gathers what was given; the last one of a name counts. */
export function parseParam(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected a name and a value, as in day=2025-04-14.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('Expected a number from 0 to 65535.');
  return port;
}
