/** Runs the built command against real servers, in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { getAzurite, type TestContainer } from '../support/azurite.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';

export const SLUICE = fileURLToPath(new URL('../../dist/bin/sluice.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command that is running. */
export interface RunningCommand {
  /**
   * Resolves when what was printed so far, on either stream, matches; rejects when the
   * command ends before.
   */
  until(pattern: RegExp): Promise<void>;
  printed(): { readonly stdout: string; readonly stderr: string };
  kill(signal: NodeJS.Signals): void;
  readonly pid: number | undefined;
  /** As a reader that goes away: what is printed from now on goes nowhere. */
  closeOutput(): void;
  readonly ended: Promise<Outcome>;
}

export function startSluice(args: readonly string[], { cwd, env = {} }: CommandOptions): RunningCommand {
  if (!existsSync(SLUICE)) throw new Error(`${SLUICE} is missing: npm run build`);
  const child: ChildProcess = spawn(process.execPath, [SLUICE, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
      for (const look of watchers) look();
    });
  }
  const ended = once(child, 'close').then(([code, signal]): Outcome => ({ code, signal, ...printed }));
  return {
    printed: () => ({ ...printed }),
    kill: signal => void child.kill(signal),
    pid: child.pid,
    closeOutput: () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
    ended,
    until: pattern =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(printed.stdout) && !pattern.test(printed.stderr)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
        void ended.then(outcome =>
          reject(new Error(`ended without ${pattern}: ${JSON.stringify(outcome, undefined, 2)}`)),
        );
      }),
  };
}

export function sluice(args: readonly string[], options: CommandOptions): Promise<Outcome> {
  return startSluice(args, options).ended;
}

export interface TestProject {
  /** Where the command is run; holds sluice.yaml. */
  readonly cwd: string;
  readonly database: TestDatabase;
  readonly container: TestContainer;
  /** Replaces sluice.yaml. */
  configure(yaml: string): void;
  run(...args: string[]): Promise<Outcome>;
  start(...args: string[]): RunningCommand;
  remove(): Promise<void>;
}

export interface ProjectOptions {
  /** Statements that make the tables. */
  readonly sql?: string;
  /**
   * YAML below `activations`, indented by two; may use model customers and destination
   * lake.
   */
  readonly activations?: string;
  /** YAML below `models`. */
  readonly models?: string;
}

const CUSTOMERS = `
  create table customers (id bigint primary key, name text, balance numeric(20,4));
  insert into customers
    select i, case i when 3 then null when 4 then '' else 'name ' || i end, i * 1.5 from generate_series(1, 10) i`;

/**
 * A folder with a sluice.yaml, a database and a container of its own. Ten customers
 * unless told otherwise.
 */
export async function createProject(options: ProjectOptions = {}): Promise<TestProject> {
  const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
  const [database, container] = await Promise.all([postgres.createDatabase(), azurite.createContainer()]);
  await database.sql(options.sql ?? CUSTOMERS);
  const cwd = mkdtempSync(path.join(tmpdir(), 'sluice-cli-'));
  const configure = (yaml: string): void => writeFileSync(path.join(cwd, 'sluice.yaml'), yaml);
  configure(projectYaml({ url: database.url, container, ...options }));
  return {
    cwd,
    database,
    container,
    configure,
    run: (...args) => sluice(args, { cwd }),
    start: (...args) => startSluice(args, { cwd }),
    remove: async () => {
      await Promise.all([database.drop(), container.drop()]);
      rmSync(cwd, { recursive: true, force: true });
    },
  };
}

export interface YamlOptions extends Pick<ProjectOptions, 'activations' | 'models'> {
  readonly url: string;
  readonly container: Pick<TestContainer, 'accountUrl' | 'accountKey' | 'container'>;
  /** Below `auth`; default the account's key. */
  readonly auth?: string;
}

export function projectYaml({ url, container, auth, activations, models }: YamlOptions): string {
  return `
version: 1
sources:
  warehouse: { type: postgres, url: "${url}" }
destinations:
  lake:
    type: azure-blob
    accountUrl: ${container.accountUrl}
    container: ${container.container}
    folder: crm/
    auth: { ${auth ?? `accountKey: "${container.accountKey}"`} }
models:
  customers: { source: warehouse, sql: "select id, name, balance from customers order by id", primaryKey: [id] }
${models ?? ''}
activations:
  whole: { model: customers, destination: lake, fileName: whole, format: { type: csv } }
${activations ?? ''}
`;
}
