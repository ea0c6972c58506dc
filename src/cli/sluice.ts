#!/usr/bin/env node
/**
 * The command `sluice`. It imports nothing before it can say why that failed: Node.js
 * opens all files of a program at once, and the system may allow fewer.
 */
try {
  const { main } = await import('./main.ts');
  await main();
} catch (cause) {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code !== 'EMFILE' && code !== 'ENFILE') throw cause;
  const hint = 'raise the limit of open files (`ulimit -n`), then run again';
  process.stderr.write(`error RUN_OUT_OF_FILES: the command could not be loaded: ${message}; ${hint}\n`);
  process.exitCode = 75;
}
