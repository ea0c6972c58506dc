import { resolveActivation } from '../../config/activation.ts';
import { ConfigInvalidError } from '../../config/checks/problems.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { Note } from '../../config/schema/note-kinds.ts';
import { EXIT, type SluiceError } from '../../errors.ts';
import type { Check, Validation } from '../../run/validation/validate.ts';
import { type CommandContext, openConfig } from '../command-context.ts';
import { exitCodeOfError, gravest } from '../exit-code.ts';
import { describeFailure, noteFailure } from '../failure.ts';
import { watchSignals } from '../interruption.ts';
import { suggestNext } from '../terminal/next-command.ts';
import { columnTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { shortTypeName } from '../terminal/type-name.ts';

export interface ValidateOptions {
  readonly offline?: boolean;
  readonly json?: boolean;
}

/**
 * `sluice validate`: the configuration, then each activation as far as it can be checked
 * without running it.
 */
export async function validate(
  names: readonly string[],
  { offline, json }: ValidateOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal, verbose } = context;
  const loaded = await openConfig(context, () => offline === true).catch((error: unknown) => {
    if (json && error instanceof ConfigInvalidError) terminal.printJson(invalidReport(error));
    throw error;
  });
  const { config } = loaded;
  const { configurationNotes } = await import('../../run/validation/notes/configuration-notes.ts');
  const notes = configurationNotes(loaded);
  const { validateActivation } = await import('../../run/validation/validate.ts');
  const { validationReport } = await import('../../run/validation/validation-report.ts');
  const { toRunError } = await import('../../history/new-record.ts');
  const text = new ValidationText(context);
  if (!json) text.printConfiguration(loaded, notes);
  const interruption = watchSignals(terminal);
  const codes: number[] = [];
  const reports: unknown[] = [];
  try {
    for (const name of names.length > 0 ? names : Object.keys(config.activations)) {
      if (interruption.signal.aborted) return EXIT.cancelled;
      try {
        const activation = resolveActivation(config, name);
        const { signal } = interruption;
        const validation = await validateActivation({ activation, offline: offline === true, signal });
        if (json) reports.push(validationReport(validation));
        else text.print(validation);
        codes.push(gravest(validation.checks.map(codeOf)));
      } catch (error) {
        noteFailure(terminal, error, { on: name, verbose });
        reports.push({ activation: name, passed: false, error: toRunError(error as SluiceError) });
        codes.push(exitCodeOfError(error));
      }
    }
  } finally {
    interruption.release();
  }
  const code = gravest(codes);
  if (json) {
    const configuration = { files: loaded.files, problems: [], notes };
    terminal.printJson({ passed: code === EXIT.done, configuration, activations: reports });
  } else if (code === EXIT.done && codes.length > 0) {
    const [only = '--all', ...others] = names.length > 0 ? names : Object.keys(config.activations);
    const run = names.length === 0 && others.length > 0 ? 'run --all' : `run ${[only, ...others].join(' ')}`;
    suggestNext(context, offline ? ['validate', ...names].join(' ') : run);
  }
  return code;
}

function invalidReport({ problems }: ConfigInvalidError): unknown {
  return { passed: false, configuration: { files: [], problems, notes: [] }, activations: [] };
}

function codeOf(check: Check): number {
  return check.outcome === 'failed' ? exitCodeOfError(check.error) : EXIT.done;
}

/** Behind `  note  ` and the name of a check. */
const TEXT_COLUMN = 20;

/**
 * What was found, for people. What is the same for several activations is said of the
 * first.
 */
class ValidationText {
  readonly #terminal: Terminal;
  readonly #verbose: boolean;
  /** What was said, and of which activation. */
  readonly #said = new Map<string, string>();

  constructor({ terminal, verbose }: CommandContext) {
    this.#terminal = terminal;
    this.#verbose = verbose;
  }

  printConfiguration({ config, files }: LoadedConfig, notes: readonly Note[]): void {
    const { sources, destinations, models, segments, activations } = config;
    const sections = {
      file: files,
      source: sources,
      destination: destinations,
      model: models,
      segment: segments,
      activation: activations,
    };
    const counts = Object.entries(sections).map(([name, section]) => {
      const count = Object.keys(section).length;
      return `${count} ${name}${count === 1 ? '' : 's'}`;
    });
    const terminal = this.#terminal;
    const head = `${terminal.paint('bold', 'configuration')}: ${terminal.paint('green', 'good')}`;
    terminal.print(`${head} (${counts.join(', ')})`, 2);
    this.#printNotes('configuration', notes);
  }

  print({ activation, checks, columns, notes }: Validation): void {
    const terminal = this.#terminal;
    const failed = checks.filter(({ outcome }) => outcome === 'failed').length;
    const verdict =
      failed === 0 ? terminal.paint('green', 'good') : terminal.paint('red', `${failed} failed`);
    terminal.print(`\n${terminal.paint('bold', activation)}: ${verdict}`);
    for (const check of checks) this.#printCheck(activation, check);
    this.#printNotes(activation, notes);
    if (columns.length > 0) {
      const text = (value: string): string => terminal.clean(value);
      const shown = columns.map(({ name, sourceType, source }) => ({
        name: text(name),
        type: text(shortTypeName(sourceType)),
        source: text(source),
      }));
      terminal.print(columnTable(shown, terminal));
    }
  }

  #printCheck(activation: string, check: Check): void {
    const label = check.check.padEnd(11);
    if (check.outcome === 'passed') this.#line('ok', label, check.message);
    else if (check.outcome === 'warned') this.#line('note', label, check.message);
    else {
      const { error } = check;
      const text = describeFailure(error, { verbose: this.#verbose }).slice('error '.length);
      const other = this.#firstSaid(text, activation);
      this.#line('FAIL', label, other === undefined ? text : `${error.code}: as for ${other}`);
      // Whoever reads standard error apart from the rest finds every error there.
      if (other === undefined && !(this.#terminal.isLive && this.#terminal.outColumns !== undefined))
        noteFailure(this.#terminal, error, { on: activation, verbose: this.#verbose });
    }
  }

  #printNotes(activation: string, notes: readonly Note[]): void {
    for (const { code, message, hint } of notes) {
      const text = `${message}; ${hint}`;
      const other = this.#firstSaid(`${code} ${text}`, activation);
      this.#line('note', '', `${code}: ${other === undefined ? text : `as for ${other}`}`);
    }
  }

  #line(mark: keyof typeof STYLES, label: string, text: string): void {
    const padding = ' '.repeat('note  '.length - mark.length);
    const head = `  ${this.#terminal.paint(STYLES[mark], mark)}${padding}`;
    this.#terminal.print(`${head}${label === '' ? '' : `${label} `}${text}`, TEXT_COLUMN);
  }

  #firstSaid(text: string, activation: string): string | undefined {
    const other = this.#said.get(text);
    if (other === undefined) this.#said.set(text, activation);
    return other;
  }
}

const STYLES = { ok: 'green', note: 'yellow', FAIL: 'red' } as const;
