import { resolveActivation } from '../../config/activation.ts';
import type { Config } from '../../config/schema/schema.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import { RUN_ID } from '../../history/run-id.ts';
import type { Finding } from '../../verify/finding.ts';
import type { FileVerification } from '../../verify/verify-file.ts';
import type { Verification } from '../../verify/verify-run.ts';
import { type CommandContext, openConfig } from '../command-context.ts';
import { watchSignals } from '../interruption.ts';
import { formatBytes, formatCount } from '../terminal/quantities.ts';
import { escaped, type Terminal } from '../terminal/terminal.ts';

export interface VerifyOptions {
  readonly json?: boolean;
}

/** `sluice verify`: the published files of a run, a line each as they have been read. */
export async function verify(
  run: string,
  name: string | undefined,
  options: VerifyOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  if (!RUN_ID.test(run)) {
    throw new SluiceError('USAGE', `${JSON.stringify(run)} is not the id of a run`, {
      hint: 'see `sluice runs` for the ids of runs',
    });
  }
  const { config } = await openConfig(context);
  const names = name === undefined ? Object.keys(config.activations) : [name];
  const activations = names.flatMap(each =>
    name === undefined ? ifAvailable(config, each) : [resolveActivation(config, each)],
  );
  const { verifyRun } = await import('../../verify/verify-run.ts');
  const interruption = watchSignals(terminal);
  try {
    const onFile = (file: FileVerification): void => terminal.print(fileLine(file, terminal), 6);
    const { signal } = interruption;
    const verification = await verifyRun({ run, activations, signal, ...(options.json ? {} : { onFile }) });
    if (options.json) terminal.printJson(verification);
    else terminal.print(summary(verification, terminal), 6);
    return verification.ok ? EXIT.done : EXIT.failed;
  } catch (cause) {
    if (!interruption.signal.aborted) throw cause;
    throw new SluiceError('CANCELLED', `verifying ${run} was cancelled`, {
      cause,
      hint: 'nothing was changed',
    });
  } finally {
    interruption.release();
  }
}

/** Not every activation can be the one that is looked for. */
function ifAvailable(config: Parameters<typeof resolveActivation>[0], name: keyof Config['activations']) {
  try {
    return [resolveActivation(config, name)];
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'NOT_AVAILABLE') return [];
    throw error;
  }
}

function fileLine({ name, rows, bytes, findings }: FileVerification, terminal: Terminal): string {
  const blob = escaped(terminal.clean(name));
  if (findings.length > 0) return `${terminal.paint('red', 'FAIL')}  ${blob}: ${listed(findings)}`;
  const size = `${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'}, ${formatBytes(bytes)}`;
  return `${terminal.paint('green', 'ok')}    ${blob}: ${size}`;
}

function summary(
  { activation, run, manifest, findings, files, ok }: Verification,
  terminal: Terminal,
): string {
  const lines: string[] = [];
  if (findings.length > 0)
    lines.push(`${terminal.paint('red', 'FAIL')}  ${manifest ?? 'manifest'}: ${listed(findings)}`);
  const damaged = files.filter(file => file.findings.length > 0).length;
  const count = `${files.length} ${files.length === 1 ? 'file' : 'files'}`;
  const verdict = ok ? terminal.paint('green', 'good') : terminal.paint('red', 'not as it was published');
  const told = damaged > 0 ? `${count}, ${damaged} with findings` : count;
  lines.push(`${terminal.paint('bold', activation)}: run ${run} is ${verdict} (${told})`);
  return lines.join('\n');
}

function listed(findings: readonly Finding[]): string {
  return findings.map(({ code, message }) => `${code} ${escaped(message)}`).join('; ');
}
