import { SluiceError } from '../errors.ts';
import { exitCodeOfError, gravest } from './exit-code.ts';
import { noteFailure } from './failure.ts';
import { runCommandLine } from './program.ts';
import { Terminal } from './terminal/terminal.ts';

/**
 * The command, from its arguments to the end of the process, which it ends itself: idle
 * connections of drivers would keep it for seconds more.
 */
export async function main(): Promise<never> {
  const terminal = new Terminal(process.stdout, process.stderr);
  const verbose = process.argv.includes('--verbose');

  // Whoever reads our output may go away first (`| head`); what runs is then finished all
  // the same.
  let outputError: NodeJS.ErrnoException | undefined;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') outputError ??= error;
  });
  process.stderr.on('error', () => {});
  process.on('uncaughtException', error => {
    noteFailure(terminal, error, { verbose });
    process.exit(exitCodeOfError(error));
  });

  const exitCode = await runCommandLine(process.argv.slice(2), terminal);
  await terminal.flush();
  if (outputError === undefined) process.exit(exitCode);
  // A script must not take what is missing for what there was to say.
  const message = `standard output could not be written: ${outputError.message}`;
  const lost = new SluiceError('OUTPUT_FAILED', message, { cause: outputError });
  noteFailure(terminal, lost, { verbose });
  process.exit(gravest([exitCode, lost.exitCode]));
}
