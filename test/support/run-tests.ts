/**
 * `npm test`: compiles the test files, starts one PostgreSQL and one Azurite, hands their
 * URLs to all test files through the environment, runs the files under node:test, and
 * stops both, whatever happens. Files that take longest begin first.
 *
 *   tsx test/support/run-tests.ts [flags of node --test] [files, folders, globs; default test/**\/*.test.ts]
 *     --changed[=COMMIT]    of these, the files that a change since COMMIT (default HEAD) concerns
 *     --all-cases           of these, the files that have more cases than usual, with all of them
 *     --all-cases=FOLDER    all of these, and those below FOLDER with all of their cases
 *     --keep-durations      keeps what the files took, for the order of later runs
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import path from 'node:path';
import { startAzurite } from '../../src/embedded/azurite.ts';
import { takeAllCases } from './all-cases.ts';
import { AZURITE_URL_VARIABLE } from './azurite.ts';
import { concernedBy, withMoreCases } from './changed-tests.ts';
import { type CompiledTests, compileTests } from './compile-tests.ts';
import { Durations, keepDurations } from './durations.ts';
import { createMemoryFolder } from './memory-folder.ts';
import { planProcesses } from './plan-tests.ts';
import { POSTGRES_URL_VARIABLE } from './postgres.ts';
import { POSTGRES_TEMPLATE_VARIABLE, PostgresServer } from './postgres-server.ts';
import { parseTestArguments } from './test-arguments.ts';
import { readUsages, USAGE_VARIABLE } from './usage.ts';

/**
 * A file that hangs fails, and one that leaves something open behind its last test ends
 * all the same.
 */
const LIMITS = ['--test-timeout=1200000', '--test-force-exit'];

process.exitCode = await runTests(process.argv.slice(2));

async function runTests(args: readonly string[]): Promise<number> {
  const { flags, files, unmatched, changedSince, keepsDurations, allCases, allCasesBelow } =
    parseTestArguments(args);
  if (unmatched.length > 0 || files.length === 0) {
    process.stderr.write(`no test file matches ${unmatched.join(', ') || 'test/**/*.test.ts'}\n`);
    return 1;
  }
  const whole = allCases ? await withMoreCases(files) : files;
  if (allCases) takeAllCases();
  const hasAllCases = (file: string): boolean =>
    allCasesBelow !== undefined && path.normalize(file).startsWith(allCasesBelow);
  const chosen = changedSince === undefined ? whole : await concernedBy(changedSince, whole);
  if (chosen.length === 0) {
    process.stderr.write(`no test file is concerned by what changed since ${changedSince}\n`);
    return 0;
  }
  const compiled = await compileTests(
    planProcesses(chosen, Durations.kept(), file => readFileSync(file, 'utf8'), hasAllCases),
  );
  try {
    const usage = path.join(compiled.folder, 'usage');
    const code = await runCompiled(flags, compiled, usage);
    const took = readUsages(usage).map(({ file, seconds }): [string, number] => [file, seconds]);
    if (keepsDurations) keepDurations(new Map(took), existsSync);
    return code;
  } finally {
    await compiled.remove();
  }
}

async function runCompiled(
  flags: readonly string[],
  { programs, reporter }: CompiledTests,
  usage: string,
): Promise<number> {
  let child: ChildProcess | undefined;
  let signalled: NodeJS.Signals | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      signalled = name;
      child?.kill(name === 'SIGHUP' ? 'SIGTERM' : name); // node --test ends its files on these two only
    });
  }

  const memory = process.env['TMPDIR'] === undefined ? createMemoryFolder() : undefined;
  if (memory !== undefined) process.env['TMPDIR'] = memory;
  const named = process.env[POSTGRES_URL_VARIABLE];
  const [cluster, azurite] = await Promise.all([createCluster(), startAzurite()]);
  if (cluster !== undefined) process.env[POSTGRES_TEMPLATE_VARIABLE] = cluster.dataFolder;
  const postgres = named === undefined ? await PostgresServer.start() : undefined;
  try {
    if (signalled === undefined) {
      const ours = [...LIMITS, ...unlessGiven(flags, 'concurrency', concurrency())];
      const reporting = unlessGiven(flags, 'reporter', reporter, '--test-reporter-destination=stdout');
      const node = ['--enable-source-maps', '--test', ...ours, ...reporting, ...flags, ...programs];
      const told = {
        [POSTGRES_URL_VARIABLE]: named ?? postgres?.url,
        [AZURITE_URL_VARIABLE]: azurite.accountUrl,
        [USAGE_VARIABLE]: usage,
      };
      child = spawn(process.execPath, node, { stdio: 'inherit', env: { ...process.env, ...told } });
      const [code] = (await once(child, 'exit')) as [number | null];
      if (signalled === undefined) return code ?? 1;
    }
    return 128 + constants.signals[signalled];
  } finally {
    await Promise.all([postgres?.dispose(), cluster?.dispose(), azurite.stop()]);
    if (memory !== undefined) rmSync(memory, { recursive: true, force: true });
  }
}

/**
 * What all servers of the tests are copies of; none where none could be started anyway.
 */
async function createCluster(): Promise<PostgresServer | undefined> {
  try {
    return await PostgresServer.create();
  } catch (error) {
    if (process.env[POSTGRES_URL_VARIABLE] === undefined) throw error;
    return undefined;
  }
}

/**
 * The test files of a small machine wait for I/O and processes as much as for the CPU.
 */
function concurrency(): number {
  return Math.max(3, availableParallelism());
}

function unlessGiven(
  flags: readonly string[],
  name: string,
  value: string | number,
  ...more: string[]
): string[] {
  const flag = `--test-${name}`;
  return flags.some(given => given === flag || given.startsWith(`${flag}=`))
    ? []
    : [`${flag}=${value}`, ...more];
}
