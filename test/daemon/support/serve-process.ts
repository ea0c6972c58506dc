import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunRecord } from '../../../src/run/run-record.ts';
import { type Outcome, type RunningCommand, startSluice } from '../../cli/support.ts';

export interface Answer<Body> {
  readonly status: number;
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
  static async start(cwd: string): Promise<ServeProcess> {
    const command = startSluice(['serve', '--port', '0', '--log', 'json'], { cwd });
    await command.until(/"message":"ready"/);
    const url = /"url":"([^"]+)"/.exec(command.printed().stdout)![1]!;
    return new ServeProcess(command, url);
  }

  async call<Body>(
    method: string,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> {
    const answer = await fetch(`${this.url}${path}`, { method, headers });
    return { status: answer.status, body: (await answer.json()) as Body };
  }

  trigger(activation: string, key: string): Promise<Answer<RunRecord>> {
    return this.call('POST', `/v1/activations/${activation}/runs`, { 'idempotency-key': key });
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
