#!/usr/bin/env node
import { SluiceError } from '../errors.ts';
import { exitCodeOfError, gravest } from './exit-code.ts';
import { noteFailure } from './failure.ts';
import { runCommandLine } from './program.ts';
import { Terminal } from './terminal/terminal.ts';

/**
 * The command `sluice`. Ends the process itself: idle connections of drivers would keep
 * it for seconds more.
 */

const terminal = new Terminal(process.stdout, process.stderr);

// Whoever reads our output may go away first (`| head`); what runs is then finished all
// the same.
let outputError: NodeJS.ErrnoException | undefined;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') outputError ??= error;
});
process.stderr.on('error', () => {});
process.on('uncaughtException', error => {
  noteFailure(terminal, error, { verbose: process.argv.includes('--verbose') });
  process.exit(exitCodeOfError(error));
});

const exitCode = await runCommandLine(process.argv.slice(2), terminal);
await terminal.flush();
process.exit(outputError ? gravest([exitCode, noteLostOutput(outputError)]) : exitCode);

/** A script must not take what is missing for what there was to say. */
function noteLostOutput(cause: Error): number {
  const message = `standard output could not be written: ${cause.message}`;
  const error = new SluiceError('OUTPUT_FAILED', message, { cause });
  noteFailure(terminal, error, { verbose: process.argv.includes('--verbose') });
  return error.exitCode;
}
