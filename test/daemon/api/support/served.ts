import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redactor, Secret } from '../../../../src/config/secrets.ts';
import { ConsoleFiles } from '../../../../src/daemon/api/console-files.ts';
import { type HttpConfig, type HttpServer, startHttpServer } from '../../../../src/daemon/api/http-server.ts';
import type { HttpLimits } from '../../../../src/daemon/api/limits.ts';
import type { Log, LogFields } from '../../../../src/daemon/parts.ts';
import { MemoryOperations } from './memory-operations.ts';
import { OpenApiClient } from './openapi-client.ts';

export interface ServedOptions {
  readonly activations?: readonly string[];
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  /** Instead of `read` and `write`. */
  readonly tokens?: readonly NamedToken[];
  readonly allowedHosts?: readonly string[];
  readonly host?: string;
  readonly title?: string;
  /** Its files; none where they do not matter. */
  readonly console?: ConsoleFiles | false;
  readonly bodyLimit?: number;
  readonly limits?: Partial<HttpLimits>;
  readonly secrets?: readonly string[];
}

export interface NamedToken {
  readonly name: string;
  readonly token: string;
  readonly may: 'read' | 'preview' | 'write';
  readonly activations?: readonly string[];
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
  readonly message: string;
}

/** The HTTP server over operations in memory, with a data directory of its own. */
export class Served {
  readonly operations: MemoryOperations;
  readonly server: HttpServer;
  readonly lines: LogLine[];
  readonly #dataDirectory: string;

  private constructor(
    operations: MemoryOperations,
    server: HttpServer,
    lines: LogLine[],
    dataDirectory: string,
  ) {
    this.operations = operations;
    this.server = server;
    this.lines = lines;
    this.#dataDirectory = dataDirectory;
  }

  static async start(options: ServedOptions = {}): Promise<Served> {
    const operations = new MemoryOperations(...(options.activations ?? ['customers', 'orders']));
    const dataDirectory = await mkdtemp(join(tmpdir(), 'sluice-api-'));
    const lines: LogLine[] = [];
    const tokens = [...(options.read ?? []), ...(options.write ?? [])];
    try {
      const server = await startHttpServer({
        operations,
        metrics: {
          render: async sees => ({
            contentType: 'text/plain; version=0.0.4; charset=utf-8',
            text: `sluice_runs ${operations.runCount()}\n${sees ? `for orders ${sees('orders')}\n` : ''}`,
          }),
        },
        log: collecting(lines),
        config: configWith(options),
        dataDirectory,
        redactor: new Redactor([...(options.secrets ?? []), ...tokens]),
        console: options.console || new ConsoleFiles(new Map()),
        ...(options.limits === undefined ? {} : { limits: options.limits }),
      });
      return new Served(operations, server, lines, dataDirectory);
    } catch (error) {
      await rm(dataDirectory, { recursive: true });
      throw error;
    }
  }

  get url(): string {
    return this.server.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  client(token?: string): Promise<OpenApiClient> {
    return OpenApiClient.connect(this.url, token);
  }

  get auditPath(): string {
    return join(this.#dataDirectory, 'daemon', 'audit.ndjson');
  }

  async audit(): Promise<Record<string, unknown>[]> {
    const text = await readFile(this.auditPath, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Record<string, unknown>);
  }

  async dispose(): Promise<void> {
    await this.server.close();
    await rm(this.#dataDirectory, { recursive: true, force: true });
  }
}

export function configWith(options: ServedOptions): HttpConfig {
  const secrets = (texts: readonly string[] = []): Secret[] => texts.map(text => new Secret(text));
  return {
    host: options.host ?? '127.0.0.1',
    port: 0,
    tokens: options.tokens?.map(({ token, ...named }) => ({ ...named, token: new Secret(token) })) ?? {
      read: secrets(options.read),
      write: secrets(options.write),
    },
    allowedHosts: options.allowedHosts ?? [],
    ...(options.title !== undefined && { title: options.title }),
    console: options.console !== false,
    bodyLimit: options.bodyLimit ?? 1_048_576,
  };
}

function collecting(lines: LogLine[]): Log {
  const at =
    (level: LogLine['level']) =>
    (fields: LogFields, message: string): void =>
      void lines.push({ level, fields, message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
