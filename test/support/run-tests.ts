/**
 * `npm test`: compiles the test files, starts one PostgreSQL and one Azurite, hands their URLs to all test files through the
 * environment, runs the files under node:test, and stops both, whatever happens.
 *
 *   tsx test/support/run-tests.ts [flags of node --test] [files, folders, globs; default test/**\/*.test.ts]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, constants } from 'node:os';
import { startAzurite } from '../../src/embedded/azurite.ts';
import { AZURITE_URL_VARIABLE } from './azurite.ts';
import { compileTests } from './compile-tests.ts';
import { POSTGRES_URL_VARIABLE } from './postgres.ts';
import { PostgresServer } from './postgres-server.ts';
import { parseTestArguments } from './test-arguments.ts';

/** A file that hangs fails, and one that leaves something open behind its last test ends all the same. */
const LIMITS = ['--test-timeout=600000', '--test-force-exit'];

process.exitCode = await runTests(process.argv.slice(2));

async function runTests(args: readonly string[]): Promise<number> {
  const { flags, files, unmatched } = parseTestArguments(args);
  if (unmatched.length > 0 || files.length === 0) {
    process.stderr.write(`no test file matches ${unmatched.join(', ') || 'test/**/*.test.ts'}\n`);
    return 1;
  }
  const compiled = await compileTests(files);
  try {
    return await runCompiled(flags, compiled.files);
  } finally {
    await compiled.remove();
  }
}

async function runCompiled(flags: readonly string[], files: readonly string[]): Promise<number> {
  let child: ChildProcess | undefined;
  let signalled: NodeJS.Signals | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      signalled = name;
      child?.kill(name === 'SIGHUP' ? 'SIGTERM' : name); // node --test ends its files on these two only
    });
  }

  const named = process.env[POSTGRES_URL_VARIABLE];
  const starting = [named === undefined ? PostgresServer.start() : undefined, startAzurite()] as const;
  const [postgres, azurite] = await Promise.all(starting);
  try {
    if (signalled === undefined) {
      const node = [...['--enable-source-maps', '--test', ...LIMITS, ...withConcurrency(flags)], ...files];
      const urls = {
        [POSTGRES_URL_VARIABLE]: named ?? postgres?.url,
        [AZURITE_URL_VARIABLE]: azurite.accountUrl,
      };
      child = spawn(process.execPath, node, { stdio: 'inherit', env: { ...process.env, ...urls } });
      const [code] = (await once(child, 'exit')) as [number | null];
      if (signalled === undefined) return code ?? 1;
    }
    return 128 + constants.signals[signalled];
  } finally {
    await Promise.all([postgres?.dispose(), azurite.stop()]);
  }
}

/** The test files of a small machine wait for I/O and processes more than for the CPU. */
function withConcurrency(flags: readonly string[]): string[] {
  if (flags.some(flag => flag.startsWith('--test-concurrency'))) return [...flags];
  return [`--test-concurrency=${Math.max(2, availableParallelism())}`, ...flags];
}
