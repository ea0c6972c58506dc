import { type ResolvedActivation, resolveActivation } from '../../config/activation.ts';
import { bindSet, type GivenParameters, valuesOf } from '../../config/parameters/bind-parameters.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import { type CommandContext, openConfig, openHistoryConfig } from '../command-context.ts';
import { watchSignals } from '../interruption.ts';
import { Dialogue } from '../terminal/dialogue.ts';
import { formatCount } from '../terminal/quantities.ts';
import {
  abandonedLines,
  backupTable,
  backupText,
  ofSet,
  restoreText,
  stateText,
} from '../terminal/state-description.ts';
import { escaped, type Terminal } from '../terminal/terminal.ts';

/** Where the text behind the labels of `state show` begins. */
const TEXT_COLUMN = 13;
/** Where further lines of a sentence begin. */
const FURTHER = 2;

export interface StateShowOptions {
  /** Values that say which baseline is meant, where there is one for each set of them. */
  readonly param?: GivenParameters;
  readonly json?: boolean;
}

/** `sluice state show`: the baseline of an activation. */
export async function showState(
  name: string,
  { param, json }: StateShowOptions,
  context: CommandContext,
): Promise<number> {
  const { config } = await openHistoryConfig(context);
  const activation = resolveActivation(config, name);
  const { describeState } = await import('../../state/describe-state.ts');
  const state = await describeState(activation, param);
  if (json) context.terminal.printJson(state);
  else context.terminal.print(stateText(state, context.terminal), TEXT_COLUMN);
  return EXIT.done;
}

export interface StateResetOptions extends StateShowOptions {
  readonly yes?: boolean;
  readonly abandon?: boolean;
  readonly allSets?: boolean;
}

/** `sluice state reset`: removes the baseline, once somebody has said so. */
export async function resetStateOf(
  name: string,
  { param: params, yes, abandon, allSets, json }: StateResetOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const activation = await openActivation(name, context);
  const what = abandon
    ? `gives up runs of ${name} that are decided and not finished; files that they published stay where they are`
    : await removal(activation, { params, allSets }, terminal);
  if (!yes && !(await isConfirmed('state reset', what, terminal))) {
    terminal.note('nothing was removed');
    return EXIT.cancelled;
  }
  const { resetState } = await import('../../state/reset-state.ts');
  const report = await resetState({ activation, params, abandonDecided: abandon === true, allSets });
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
  const { generation, keys, sets } = report;
  const told = ofSet(report, terminal);
  if (sets !== undefined)
    terminal.print(`${name}: the baselines of ${formatCount(sets)} sets are removed`, FURTHER);
  else if (generation === undefined) terminal.print(`${told} has no baseline now`, FURTHER);
  else
    terminal.print(
      `${told}: the baseline of generation ${generation} (${formatCount(keys ?? 0)} keys) is removed`,
      FURTHER,
    );
  if (activation.runType === 'full_then_delta')
    terminal.print(
      'the next run exports every row and starts a new baseline; consumers see all rows once more',
      FURTHER,
    );
  return EXIT.done;
}

async function removal(
  activation: ResolvedActivation,
  {
    params,
    allSets,
  }: { readonly params: GivenParameters | undefined; readonly allSets: boolean | undefined },
  terminal: Terminal,
): Promise<string> {
  const { name } = activation;
  if (allSets)
    return `removes the baselines of ${name} for all sets of values; each next run then exports every row`;
  const { parameterSet } = await bindSet(activation, { given: params, runTime: new Date() });
  const whose = ofSet(
    { activation: name, ...(parameterSet && { params: valuesOf(parameterSet.values) }) },
    terminal,
  );
  return `removes the baseline of ${whose}; the next run then exports every row`;
}

export interface StateBackupOptions extends StateShowOptions {
  readonly force?: boolean;
}

/** `sluice state backup`: to the destination. */
export async function backupStateOf(
  name: string,
  { param: params, force, json }: StateBackupOptions,
  context: CommandContext,
): Promise<number> {
  const activation = await openActivation(name, context);
  const { backupState } = await import('../../state/back-up-state.ts');
  const report = await interruptible(context, 'the backup', signal =>
    backupState({ activation, params, force: force === true, signal }),
  );
  if (json) context.terminal.printJson(report);
  else context.terminal.print(backupText(report, context.terminal), FURTHER);
  return EXIT.done;
}

/** `sluice state backups`: what can be restored. */
export async function listBackupsOf(
  name: string,
  { param: params, json }: StateShowOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const activation = await openActivation(name, context);
  const { listBackups } = await import('../../state/list-backups.ts');
  const { backups, complete } = await interruptible(context, 'listing backups', signal =>
    listBackups({ activation, params, signal }),
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
  { param: params, backup, force, json }: StateRestoreOptions,
  context: CommandContext,
): Promise<number> {
  const activation = await openActivation(name, context);
  const { restoreState } = await import('../../state/restore-state.ts');
  const report = await interruptible(context, 'restoring', signal =>
    restoreState({ activation, params, backup, force: force === true, signal }),
  );
  if (json) context.terminal.printJson(report);
  else context.terminal.print(restoreText(report, context.terminal), FURTHER);
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
