import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { apiTokens } from '../../config/api-tokens.ts';
import type { DeepReadonly } from '../../config/deep-freeze.ts';
import type { DaemonConfig } from '../../config/schema/schema.ts';
import type { Redactor } from '../../config/secrets.ts';
import { SluiceError } from '../../errors.ts';
import type { Operations } from '../operations.ts';
import type { Log, WriteWatch } from '../parts.ts';
import { AccessRules, isLoopback } from './access-rules.ts';
import { createApp } from './app.ts';
import { AuditLog } from './audit-log.ts';
import { Connections } from './connections.ts';
import { ConsoleFiles } from './console-files.ts';
import { HTTP_LIMITS, type HttpLimits } from './limits.ts';
import { openApiDocument } from './openapi.ts';
import type { MetricsPage, Services } from './route.ts';
import { Slots } from './slots.ts';

export interface HttpServerOptions {
  /** What is asked, until `answerFrom`. */
  readonly operations: Operations;
  readonly metrics: MetricsPage;
  readonly log: Log;
  readonly config: HttpConfig;
  /** The audit log is `daemon/audit.ndjson` in it. */
  readonly dataDirectory: string;
  /** Everything that is answered passes it. */
  readonly redactor: Redactor;
  readonly limits?: Partial<HttpLimits>;
  /** The files of the console, where they are not those of this installation. */
  readonly console?: ConsoleFiles;
  /** Is told of writes to the audit log. */
  readonly watch?: WriteWatch;
}

export type HttpConfig = DeepReadonly<
  Pick<DaemonConfig, 'host' | 'port' | 'tokens' | 'allowedHosts' | 'bodyLimit' | 'title' | 'console'>
>;

export interface HttpServer {
  /** Where it listens, without a trailing slash. */
  readonly url: string;
  /** Others are asked from now on. */
  answerFrom(operations: Operations): void;
  /**
   * Tokens and `allowedHosts` of a configuration that was reloaded; host, port and body
   * limit stay until a restart.
   */
  use(config: HttpConfig): void;
  /**
   * Stops listening, answers waits with the run as it stands, ends event streams, and
   * lets requests end that have begun, for a short while. Never rejects; calling it again
   * does nothing more.
   */
  close(): Promise<void>;
}

/**
 * Serves `Operations` over HTTP.
 *
 * Rejects with CONFIG_INVALID where the address can be reached from other machines and
 * there is no token, and with LISTEN_FAILED where it cannot be listened on.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { metrics, log, config, dataDirectory, redactor } = options;
  let { operations } = options;
  let { title } = config;
  const limits = { ...HTTP_LIMITS, ...options.limits };
  const access = new AccessRules(config);
  const address = await addressOf(config.host);
  const isPublic = !isLoopback(address);
  if (isPublic && !access.hasTokens) {
    const message = `daemon.host ${config.host} can be reached from other machines, and there is no token`;
    throw new SluiceError('CONFIG_INVALID', message, {
      hint: 'set daemon.tokens, or daemon.host: 127.0.0.1',
    });
  }

  const toJson = (value: unknown): string => redactor.toJson(value);
  const audit = new AuditLog({
    path: join(dataDirectory, 'daemon', 'audit.ndjson'),
    toJson,
    ...(options.watch && { watch: options.watch }),
  });
  let document: string | undefined;
  const services: Services = {
    get operations() {
      return operations;
    },
    metrics,
    limits,
    waits: new Slots('requests that wait for a run', limits.waits),
    eventStreams: new Slots('event streams', limits.eventStreams),
    access: {
      get tokensRequired() {
        return access.hasTokens;
      },
      get title() {
        return title;
      },
    },
    probes: new Slots('validations and previews', limits.probes),
    toJson,
    openApi: () => {
      document ??= JSON.stringify(openApiDocument(operations.health().version));
      return document;
    },
  };
  const connections = new Connections(limits);
  const app = await createApp({
    services,
    access,
    audit,
    log,
    connections,
    bodyLimit: config.bodyLimit,
    console: config.console ? (options.console ?? ConsoleFiles.read()) : undefined,
  });
  const { server } = app;
  connections.watch(server);
  try {
    server.listen({ host: address, port: config.port });
    await once(server, 'listening');
  } catch (cause) {
    await app.close();
    const { code } = cause as NodeJS.ErrnoException;
    throw new SluiceError(
      'LISTEN_FAILED',
      `${config.host} port ${config.port} cannot be listened on (${code})`,
      {
        cause,
      },
    );
  }

  let closing: Promise<void> | undefined;
  return {
    url: urlOf(server.address() as AddressInfo),
    answerFrom: next => {
      operations = next;
    },
    use: next => {
      title = next.title;
      if (isPublic && apiTokens(next.tokens).length === 0) {
        log.warn(
          {},
          'the configuration has no token any more, but the daemon listens beyond loopback: the old tokens stay',
        );
        return;
      }
      // The address is still the one that was listened on.
      access.use({ ...next, host: config.host });
    },
    close: () => {
      closing ??= connections.close().then(async () => {
        await app.close();
        audit.close();
      });
      return closing;
    },
  };
}

async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host.replace(/^\[(.*)\]$/, '$1'))).address;
  } catch (cause) {
    throw new SluiceError('LISTEN_FAILED', `daemon.host ${host} is not an address of this machine`, {
      cause,
    });
  }
}

function urlOf({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
