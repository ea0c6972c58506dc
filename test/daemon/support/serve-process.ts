import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { type Outcome, type RunningCommand, startSluice } from '../../cli/support.ts';
import type { TestContainer } from '../../support/azurite.ts';
import type { BlobProxy } from '../../support/blob-proxy.ts';

export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** `sluice serve` as it is shipped, spoken to over HTTP. */
export class ServeProcess {
  readonly command: RunningCommand;
  readonly url: string;

  private constructor(command: RunningCommand, url: string) {
    this.command = command;
    this.url = url;
  }

  /** The folder holds sluice.yaml. Rejects where the command ends before it listens. */
  static start(cwd: string, env: Readonly<Record<string, string>> = {}): Promise<ServeProcess> {
    return ServeProcess.begin(cwd, env).ready;
  }

  /** For those who do not wait until it serves. */
  static begin(
    cwd: string,
    env: Readonly<Record<string, string>> = {},
  ): { readonly command: RunningCommand; readonly ready: Promise<ServeProcess> } {
    const command = startSluice(['serve', '--port', '0', '--log', 'json'], { cwd, env });
    const ready = command.until(/"message":"ready"/).then(() => {
      const url = /"url":"([^"]+)"/.exec(command.printed().stdout)![1]!;
      return new ServeProcess(command, url);
    });
    return { command, ready };
  }

  async call<Body>(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Answer<Body>> {
    const answer = await fetch(`${this.url}${path}`, { method, headers, ...(signal && { signal }) });
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body };
  }

  trigger(activation: string, key: string, signal?: AbortSignal): Promise<Answer<RunRecord>> {
    const headers = { 'idempotency-key': key };
    return this.call('POST', `/v1/activations/${activation}/runs`, headers, signal);
  }

  async ended(run: string): Promise<RunRecord> {
    for (;;) {
      const { body } = await this.call<RunRecord>('GET', `/v1/runs/${run}?wait=30s`);
      if (body.endedAt !== undefined) return body;
    }
  }

  kill(): Promise<Outcome> {
    this.command.kill('SIGKILL');
    return this.command.ended;
  }

  stop(): Promise<Outcome> {
    this.command.kill('SIGTERM');
    return this.command.ended;
  }
}

export function writeConfig(folder: string, config: object): Promise<void> {
  return writeFile(join(folder, 'sluice.yaml'), JSON.stringify(config));
}

/** The destination as a configuration has it, with the proxy between. */
export function lakeBehind(proxy: BlobProxy, { accountUrl, container, accountKey }: TestContainer): object {
  return { type: 'azure-blob', accountUrl: proxy.through(accountUrl), container, auth: { accountKey } };
}
