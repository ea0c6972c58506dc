import { resolveActivation } from '../config/activation.ts';
import { EXIT } from '../errors.ts';
import type { Check, Validation } from '../run/validate.ts';
import { type CommandContext, openConfig } from './command-context.ts';
import { exitCodeOfError, gravest } from './exit-code.ts';
import { describeFailure, noteFailure } from './failure.ts';
import { watchSignals } from './interruption.ts';
import { tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';

export interface ValidateOptions {
  readonly offline?: boolean;
}

/** `sluice validate`: the configuration, then each activation as far as it can be checked without running it. */
export async function validate(
  names: readonly string[],
  options: ValidateOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal, verbose } = context;
  const { config, files } = await openConfig(context);
  const { sources, destinations, models, segments, activations } = config;
  const sections = {
    file: files,
    source: sources,
    destination: destinations,
    model: models,
    segment: segments,
  };
  const counts = Object.entries({ ...sections, activation: activations }).map(([name, section]) => {
    const count = Object.keys(section).length;
    return `${count} ${name}${count === 1 ? '' : 's'}`;
  });
  terminal.print(
    `${terminal.paint('bold', 'configuration')}: ${terminal.paint('green', 'good')} (${counts.join(', ')})`,
  );
  const { validateActivation } = await import('../run/validate.ts');
  const interruption = watchSignals(terminal);
  const codes: number[] = [];
  try {
    for (const name of names.length > 0 ? names : Object.keys(activations)) {
      if (interruption.signal.aborted) return EXIT.cancelled;
      try {
        const activation = resolveActivation(config, name);
        const { signal } = interruption;
        const validation = await validateActivation({
          activation,
          offline: options.offline === true,
          signal,
        });
        report(validation, context);
        codes.push(gravest(validation.checks.map(codeOf)));
      } catch (error) {
        noteFailure(terminal, error, { on: name, verbose });
        codes.push(exitCodeOfError(error));
      }
    }
  } finally {
    interruption.release();
  }
  return gravest(codes);
}

function codeOf(check: Check): number {
  return check.outcome === 'failed' ? exitCodeOfError(check.error) : EXIT.done;
}

/** What is right on standard output; what is not, as all errors, on standard error. */
function report({ activation, checks, columns }: Validation, { terminal, verbose }: CommandContext): void {
  const failed = checks.filter(({ outcome }) => outcome === 'failed').length;
  const verdict = failed === 0 ? terminal.paint('green', 'good') : terminal.paint('red', `${failed} failed`);
  terminal.print(`\n${terminal.paint('bold', activation)}: ${verdict}`);
  for (const check of checks) {
    const label = check.check.padEnd(11);
    if (check.outcome === 'passed') {
      terminal.print(`  ${terminal.paint('green', 'ok')}    ${label} ${check.message}`);
    } else if (check.outcome === 'warned') {
      terminal.print(`  ${terminal.paint('yellow', 'note')}  ${label} ${check.message}`);
    } else {
      terminal.print(`  ${terminal.paint('red', 'FAIL')}  ${label} ${check.error.code}`);
      const text = describeFailure(check.error, { on: activation, verbose });
      terminal.note(text);
    }
  }
  if (columns.length > 0) terminal.print(columnTable(columns, terminal));
}

function columnTable(columns: Validation['columns'], terminal: Terminal): string {
  const titles = [{ title: 'column' }, { title: 'type' }, { title: 'from' }];
  const rows = columns.map(({ name, sourceType, source }) =>
    [name, sourceType, source === name ? '' : source].map(cell => terminal.clean(cell)),
  );
  const [head = '', ...body] = tableLines(titles, rows);
  return [terminal.paint('dim', head), ...body].map(line => `  ${line}`).join('\n');
}
