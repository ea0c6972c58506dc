import { type ChildProcess, execFile, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The clients of docs/orchestrators, as their users run them. */

const EXAMPLES = fileURLToPath(new URL('../../../docs/orchestrators/examples/', import.meta.url));

export interface OrchestratorClient {
  readonly name: string;
  readonly command: readonly string[];
  /** Why its tests cannot run here, or false. */
  readonly skip: string | false;
}

export const ORCHESTRATOR_CLIENTS: readonly OrchestratorClient[] = [
  client('sluice_client.py', 'python3', ['python3']),
  client('run-activation.sh', 'sh', ['curl', 'jq']),
];

function client(name: string, program: string, needs: readonly string[]): OrchestratorClient {
  const missing = needs.filter(each => spawnSync(each, ['--version']).status !== 0);
  const skip = missing.length > 0 && `${missing.join(' and ')} not found`;
  return { name, command: [program, EXAMPLES + name], skip };
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartedClient {
  readonly process: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** The first run that the client says it waits for. */
  readonly run: Promise<string>;
}

const WAITS_FOR = /^(\d{8}-\S+) (?:is )?(?:queued|reading)/;

export function startClient(
  { command: [program, ...first] }: OrchestratorClient,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): StartedClient {
  const env = { ...process.env, ...environment };
  let resolveEnded: (outcome: Outcome) => void = () => {};
  const ended = new Promise<Outcome>(resolve => {
    resolveEnded = resolve;
  });
  const child = execFile(program!, [...first, ...args], { env }, (error, stdout, stderr) => {
    resolveEnded({ code: error === null ? 0 : Number(error.code), stdout, stderr });
  });
  const run = new Promise<string>(resolve => {
    createInterface(child.stderr!).on('line', line => {
      const [, id] = WAITS_FOR.exec(line) ?? [];
      if (id !== undefined) resolve(id);
    });
  });
  return { process: child, ended, run };
}
