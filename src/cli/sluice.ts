#!/usr/bin/env node
import { EXIT } from '../errors.ts';
import { noteFailure } from './failure.ts';
import { runCommandLine } from './program.ts';
import { Terminal } from './terminal.ts';

/** The command `sluice`. Ends the process itself: idle connections of drivers would keep it for seconds more. */

const terminal = new Terminal(process.stdout, process.stderr);

// Whoever reads our output may go away first (`| head`); what runs is then finished all the same.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
process.on('uncaughtException', error => {
  noteFailure(terminal, error, { verbose: process.argv.includes('--verbose') });
  process.exit(EXIT.failed);
});

const exitCode = await runCommandLine(process.argv.slice(2), terminal);
await terminal.flush();
process.exit(exitCode);
