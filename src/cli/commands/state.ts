import { type ResolvedActivation, resolveActivation } from '../../config/activation.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import type { AbandonedRun } from '../../state/abandon-runs.ts';
import type { BackupReport } from '../../state/back-up-state.ts';
import type { BaselineDescription, StateDescription } from '../../state/describe-state.ts';
import type { BackupSummary } from '../../state/list-backups.ts';
import type { RestoreReport } from '../../state/restore-state.ts';
import { type CommandContext, openConfig, openHistoryConfig } from '../command-context.ts';
import { watchSignals } from '../interruption.ts';
import { Dialogue } from '../terminal/dialogue.ts';
import { formatBytes, formatCount } from '../terminal/quantities.ts';
import { columnTable, fittedTable } from '../terminal/table.ts';
import { escaped, type Terminal } from '../terminal/terminal.ts';
import { shortTypeName } from '../terminal/type-name.ts';

/** Where the text behind the labels of `state show` begins. */
const TEXT_COLUMN = 13;
/** Where further lines of a sentence begin. */
const FURTHER = 2;

export interface StateShowOptions {
  readonly json?: boolean;
}

/** `sluice state show`: the baseline of an activation. */
export async function showState(
  name: string,
  { json }: StateShowOptions,
  context: CommandContext,
): Promise<number> {
  const { config } = await openHistoryConfig(context);
  const activation = resolveActivation(config, name);
  const { describeState } = await import('../../state/describe-state.ts');
  const state = await describeState(activation);
  if (json) context.terminal.printJson(state);
  else context.terminal.print(stateText(state, context.terminal), TEXT_COLUMN);
  return EXIT.done;
}

export interface StateResetOptions extends StateShowOptions {
  readonly yes?: boolean;
  readonly abandon?: boolean;
}

/** `sluice state reset`: removes the baseline, once somebody has said so. */
export async function resetStateOf(
  name: string,
  { yes, abandon, json }: StateResetOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const activation = await openActivation(name, context);
  const what = abandon
    ? `gives up runs of ${name} that are decided and not finished; files that they published stay where they are`
    : `removes the baseline of ${name}; the next run then exports every row`;
  if (!yes && !(await isConfirmed('state reset', what, terminal))) {
    terminal.note('nothing was removed');
    return EXIT.cancelled;
  }
  const { resetState } = await import('../../state/describe-state.ts');
  const report = await resetState({ activation, abandonDecided: abandon === true });
  if (json) {
    terminal.printJson(report);
    return EXIT.done;
  }
  if (abandon) {
    const lines = report.left?.flatMap(abandonedLines) ?? [];
    if (lines.length === 0) lines.push(`${name} has no run that is decided and not finished`);
    const text = [...lines, 'the baseline is kept'].map(line => escaped(terminal.clean(line))).join('\n');
    terminal.print(text, FURTHER);
    return EXIT.done;
  }
  const { generation, keys } = report;
  if (generation === undefined) terminal.print(`${name} has no baseline now`, FURTHER);
  else
    terminal.print(
      `${name}: the baseline of generation ${generation} (${formatCount(keys ?? 0)} keys) is removed`,
      FURTHER,
    );
  if (activation.runType === 'full_then_delta')
    terminal.print(
      'the next run exports every row and starts a new baseline; consumers see all rows once more',
      FURTHER,
    );
  return EXIT.done;
}

function abandonedLines({ run, visible, notLookedUp, isLatest }: AbandonedRun): string[] {
  if (visible === undefined)
    return [
      `run ${run} is given up; which of its files are published could not be looked up: ${notLookedUp}`,
    ];
  if (visible.length === 0) return [`run ${run} is given up; none of its files is published`];
  const next = isLatest
    ? 'and latest.json names it: the next run must be made with --full'
    : 'the next run exports its changes again';
  return [
    `run ${run} is given up; of its files these are published and stay, ${next}`,
    ...visible.map(name => `  ${name}`),
  ];
}

export interface StateBackupOptions extends StateShowOptions {
  readonly force?: boolean;
}

/** `sluice state backup`: to the destination. */
export async function backupStateOf(
  name: string,
  { force, json }: StateBackupOptions,
  context: CommandContext,
): Promise<number> {
  const activation = await openActivation(name, context);
  const { backupState } = await import('../../state/back-up-state.ts');
  const report = await interruptible(context, 'the backup', signal =>
    backupState({ activation, force: force === true, signal }),
  );
  if (json) context.terminal.printJson(report);
  else context.terminal.print(backupText(report), FURTHER);
  return EXIT.done;
}

/** `sluice state backups`: what can be restored. */
export async function listBackupsOf(
  name: string,
  { json }: StateShowOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const activation = await openActivation(name, context);
  const { listBackups } = await import('../../state/list-backups.ts');
  const { backups, complete } = await interruptible(context, 'listing backups', signal =>
    listBackups({ activation, signal }),
  );
  if (json) for (const backup of backups) terminal.printJson(backup);
  else if (backups.length === 0) terminal.print(`${name} has no backup`);
  else terminal.print(backupTable(backups, terminal));
  if (!complete)
    terminal.note('only the latest backup is known: the credentials lack list (l), which shows the others');
  return EXIT.done;
}

export interface StateRestoreOptions extends StateBackupOptions {
  readonly backup?: string;
}

/** `sluice state restore`: from the destination. */
export async function restoreStateOf(
  name: string,
  { backup, force, json }: StateRestoreOptions,
  context: CommandContext,
): Promise<number> {
  const activation = await openActivation(name, context);
  const { restoreState } = await import('../../state/restore-state.ts');
  const report = await interruptible(context, 'restoring', signal =>
    restoreState({ activation, backup, force: force === true, signal }),
  );
  if (json) context.terminal.printJson(report);
  else context.terminal.print(restoreText(report), FURTHER);
  return EXIT.done;
}

async function openActivation(name: string, context: CommandContext): Promise<ResolvedActivation> {
  const { config } = await openConfig(context);
  return resolveActivation(config, name);
}

async function interruptible<T>(
  { terminal }: CommandContext,
  what: string,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, release } = watchSignals(terminal);
  try {
    return await act(signal);
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new SluiceError('CANCELLED', `${what} was cancelled`, { cause, hint: 'the state is what it was' });
  } finally {
    release();
  }
}

/** Asks on the terminal. Where nobody can be asked, only the option says yes. */
async function isConfirmed(command: string, what: string, terminal: Terminal): Promise<boolean> {
  if (!Dialogue.isPossible) {
    throw new SluiceError('USAGE', `nothing was done: ${command} ${what}, and asks for that on a terminal`, {
      hint: 'add --yes to do it without being asked',
    });
  }
  terminal.note(`This ${what}.`);
  const dialogue = new Dialogue();
  try {
    return /^y(?:es)?$/i.test(await dialogue.ask('Continue? [y/N]'));
  } finally {
    dialogue.close();
  }
}

function stateText(state: StateDescription, terminal: Terminal): string {
  const { activation, runType, syncMode, baseline, pending, bytes, files } = state;
  const lines: string[] = [];
  const { inUse, lastKnown } = state;
  if (inUse !== undefined) {
    const text = (value: string): string => escaped(terminal.clean(value));
    const known =
      lastKnown === undefined
        ? 'no generation is recorded yet'
        : `generation ${lastKnown.generation}, made by run ${lastKnown.run}`;
    lines.push(`${terminal.paint('bold', activation)}: ${known} (${runType}, ${syncMode})`);
    lines.push(`  in use     by ${text(inUse)}; the rest can be read when that has ended`);
    lines.push(`  on disk    ${formatBytes(bytes)} in ${files} files`);
  } else if (baseline === undefined) {
    const why = runType === 'full_only' ? 'run type full_only keeps none' : 'the next run exports every row';
    lines.push(`${terminal.paint('bold', activation)}: no baseline (${why})`);
  } else {
    const { generation, run, savedAt, keys, digest, retained, position, columns, primaryKey } = baseline;
    const text = (value: string): string => escaped(terminal.clean(value));
    lines.push(`${terminal.paint('bold', activation)}: generation ${generation} (${runType}, ${syncMode})`);
    lines.push(`  made by    run ${run}${savedAt === undefined ? '' : `, ended ${savedAt}`}`);
    lines.push(`  keys       ${formatCount(keys)}, key ${primaryKey.map(text).join(', ')}`);
    lines.push(`  digest     ${digest}`);
    lines.push(`  on disk    ${formatBytes(bytes)} in ${files} files, of each row ${RETAINED[retained]}`);
    if (position !== undefined) lines.push(`  source     ${text(positionText(position))}`);
    const rows = columns.map(({ name, type, source }) => ({
      name: text(name),
      type: text(shortTypeName(type)),
      source: text(source),
    }));
    lines.push(columnTable(rows, terminal));
  }
  for (const run of pending)
    lines.push(
      `  ${terminal.paint('yellow', 'pending')}    run ${run} is decided; \`sluice run ${activation}\` finishes it`,
    );
  return lines.join('\n');
}

function positionText({ system, timeline, position }: NonNullable<BaselineDescription['position']>): string {
  const told = [
    system && `system ${system}`,
    timeline !== undefined && `timeline ${timeline}`,
    position && `at ${position}`,
  ];
  return told.filter(Boolean).join(', ');
}

const RETAINED = {
  nothing: 'hashes only',
  key: 'hashes and the key',
  row: 'hashes and the last values',
} as const;

function backupTable(backups: readonly BackupSummary[], terminal: Terminal): string {
  const titles = [
    { title: 'backup' },
    { title: 'made' },
    { title: 'generation', align: 'right' },
    { title: 'keys', align: 'right' },
    { title: 'bytes', align: 'right' },
  ] as const;
  const rows = backups.map(({ backup, createdAt, generation, keys, bytes }) => [
    backup,
    `${createdAt.slice(0, 19)}Z`,
    formatCount(generation),
    formatCount(keys),
    formatBytes(bytes),
  ]);
  return fittedTable(titles, rows, terminal);
}

function backupText(report: BackupReport): string {
  const { activation, backup, generation, keys, files, bytes, filesUploaded, bytesUploaded } = report;
  return [
    `${activation}: generation ${generation} (${formatCount(keys)} keys) is backed up as ${backup}`,
    `  ${files} files, ${formatBytes(bytes)}; sent ${filesUploaded} of them, ${formatBytes(bytesUploaded)}`,
  ].join('\n');
}

function restoreText(report: RestoreReport): string {
  const { activation, backup, generation, keys, files, bytes, published } = report;
  const lines = [
    `${activation}: generation ${generation} (${formatCount(keys)} keys) is restored from backup ${backup}`,
    `  ${files} files, ${formatBytes(bytes)}; all rows read and their digest compared`,
  ];
  if (published === undefined) lines.push('the next run is a delta against it');
  else if (published.generation >= generation)
    lines.push(
      `the destination has generation ${published.generation}: the next run stops with STATE_STALE, unless it is run with --full`,
    );
  else
    lines.push(
      `the destination is at generation ${published.generation}: the next run does what onDestinationReset says`,
    );
  return lines.join('\n');
}
