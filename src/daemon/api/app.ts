import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { seesActivation } from '../../config/api-tokens.ts';
import { SluiceError } from '../../errors.ts';
import { isoInstant } from '../../history/iso-instant.ts';
import type { Log } from '../parts.ts';
import type { AccessRules, Caller } from './access-rules.ts';
import type { AuditLog } from './audit-log.ts';
import type { Connections } from './connections.ts';
import type { ConsoleFiles } from './console-files.ts';
import { failedAnswer, JSON_TYPE, toFailure } from './error-answer.ts';
import { checkShape, parseBody, parseInput } from './parse-request.ts';
import type { Answer, Route, Services } from './route.ts';
import { ROUTES } from './routes.ts';
import { ScopedOperations } from './scoped-operations.ts';

export interface AppOptions {
  readonly services: Services;
  readonly access: AccessRules;
  readonly audit: AuditLog;
  readonly log: Log;
  readonly connections: Connections;
  readonly bodyLimit: number;
  /** Absent where the console is not served. */
  readonly console: ConsoleFiles | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    sluice?: Route;
    isConsole?: true;
  }
}

/**
 * On every answer. Nothing that the API says is to be kept, guessed at, framed or read by
 * another origin's page.
 */
const ANSWER_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

const NOBODY: Caller = { may: 'nothing' };

/** How often the timeouts of headers and requests are looked after. */
const TIMEOUT_CHECK_MS = 1000;

/** What is known of a request while it is under way. */
interface Seen {
  readonly caller: Caller;
  readonly mayRead: boolean;
  run?: string;
  code?: string;
}

/**
 * The routes on Fastify: access first, then shape, then the handler; every failure in one
 * shape.
 */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { services, access, audit, log, connections, bodyLimit } = options;
  const { toJson, limits } = services;
  const seen = new WeakMap<FastifyRequest, Seen>();

  const app = Fastify({
    bodyLimit,
    logger: false,
    genReqId: () => randomUUID(),
    return503OnClosing: false,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 200 },
    http: {
      maxHeaderSize: limits.headerBytes,
      // A request without a Host is refused by us, in the shape of all failures.
      requireHostHeader: false,
      connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, limits.headersTimeoutMs),
    },
    frameworkErrors: (error, request, reply) => {
      prepare(request, reply);
      sendFailure(error, request, reply);
    },
    clientErrorHandler: (error, socket) => {
      if (connections.canAnswer(socket)) answerUnreadable(error.code ?? '', socket, toJson);
      else socket.destroy();
    },
  });

  function prepare(request: FastifyRequest, { raw }: FastifyReply): void {
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) raw.setHeader(name, value);
    raw.setHeader('X-Request-Id', request.id);
  }

  function sendFailure(cause: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const failure = toFailure(cause, request.id);
    const { status, headers, json } = failedAnswer(failure, toJson);
    const known = seen.get(request);
    if (known !== undefined) known.code = failure.code;
    const fields = { request: request.id, remote: request.ip, status, error: cause };
    if (failure.code === 'INTERNAL') log.error(fields, `${request.method} of the API met a defect`);
    else if (status === 401 || status === 403) log.warn(fields, `${request.method} of the API was refused`);
    else log.debug(fields, `${request.method} of the API failed`);
    // What is left of an unread body is read and dropped, or its sender would never see
    // the answer.
    reply.removeHeader('connection');
    void reply.code(status).headers(headers).type(JSON_TYPE).send(json);
  }

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    try {
      done(null, parseBody(bytes as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  // An empty body has no type worth arguing about.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => {
    if (bytes.length === 0) done(null, undefined);
    else
      done(new SluiceError('MEDIA_TYPE_UNSUPPORTED', 'the Content-Type of the body is not application/json'));
  });

  app.addHook('onRequest', (request, reply, done) => {
    prepare(request, reply);
    if (connections.isClosing) throw new SluiceError('SHUTTING_DOWN', 'the daemon is ending');
    checkShape(request.raw);
    const { sluice: route, isConsole } = request.routeOptions.config;
    // Links from elsewhere lead to the page of the console, which holds no data.
    const isLink = isConsole && request.raw.headers['sec-fetch-mode'] === 'navigate';
    if (!isLink) access.checkOrigin(request.raw);
    if (isConsole) {
      access.checkHost(request.raw);
      return done();
    }
    if (route?.access === 'anyone') {
      seen.set(request, whoAnyone(request));
    } else {
      const caller = access.callerOf(request.raw);
      access.checkRight(caller, route?.access ?? 'read');
      seen.set(request, { caller, mayRead: true });
    }
    if (request.is404) throw pathFailure(request, reply);
    done();
  });

  /**
   * Probes of a supervisor have no token and often a Host of their own; they learn
   * little.
   */
  function whoAnyone({ raw }: FastifyRequest): Seen {
    try {
      const caller = access.callerOf(raw);
      return { caller, mayRead: caller.may !== 'nothing' };
    } catch {
      return { caller: NOBODY, mayRead: false };
    }
  }

  // Before the answer: who was told that something changed finds it in the log.
  app.addHook('onSend', (request, reply, payload, done) => {
    const route = request.routeOptions.config.sluice;
    const known = seen.get(request);
    if (route?.access !== 'write' || known === undefined) return done(null, payload);
    const { name, id } = request.params as { name?: string; id?: string };
    const { token, fingerprint } = known.caller;
    const run = id ?? known.run;
    const entry = {
      request: request.id,
      ...(token === undefined ? {} : { token }),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      remote: request.ip,
      operation: route.operationId,
      method: request.method,
      path: request.url.split('?', 1)[0] ?? '',
      ...(name === undefined ? {} : { activation: name }),
      ...(run === undefined ? {} : { run }),
      status: reply.statusCode,
      ...(known.code === undefined ? {} : { code: known.code }),
    };
    log.info(entry, `${route.operationId} was asked for`);
    try {
      audit.append({ time: isoInstant(new Date()), ...entry });
    } catch (error) {
      log.error({ request: request.id, error }, 'the audit log cannot be written');
    }
    done(null, payload);
  });

  app.setErrorHandler((cause, request, reply) => sendFailure(cause, request, reply));
  // Never reached, as the hook has thrown; without it the framework would make its own.
  app.setNotFoundHandler((request, reply) => sendFailure(pathFailure(request, reply), request, reply));

  for (const route of ROUTES) {
    app.route({
      method: route.method,
      url: route.path.replace(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: !streams(route),
      config: { sluice: route },
      handler: async (request, reply) => {
        const { params, query, headers, body } = request;
        const input = parseInput(route, { params, query, headers, body });
        const known = seen.get(request);
        const caller = known?.caller ?? NOBODY;
        const sees = caller.activations && ((activation: string) => seesActivation(caller, activation));
        const answer = await route.handle({
          input: input as never,
          mayRead: known?.mayRead === true,
          caller,
          sees,
          get signal() {
            return connections.signalOf(reply.raw);
          },
          services: sees ? scoped(services, sees) : services,
        });
        if (known !== undefined && 'body' in answer) {
          const { run } = (answer.body ?? {}) as { run?: unknown };
          if (typeof run === 'string') known.run = run;
        }
        return send(answer, reply, toJson);
      },
    });
  }
  if (options.console) serveConsole(app, options.console);
  await app.ready();
  return app;
}

function scoped(services: Services, sees: (activation: string) => boolean): Services {
  const operations = new ScopedOperations(services.operations, sees);
  return Object.create(services, { operations: { value: operations } }) as Services;
}

const INDEX = 'index.html';

/** Relative to the page, so that it works below any prefix that a proxy takes away. */
function serveConsole(app: FastifyInstance, files: ConsoleFiles): void {
  const answer = (name: string, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const found = files.find(name, request.headers['accept-encoding'] ?? '');
    if (found === undefined) throw pathFailure(request, reply);
    // In the place of those that are on every answer.
    for (const [header, value] of Object.entries(found.headers)) reply.raw.setHeader(header, value);
    return reply.send(found.bytes);
  };
  const config = { isConsole: true } as const;
  app.get('/', { config }, (request, reply) => answer(INDEX, request, reply));
  app.get('/console/:file', { config }, (request, reply) => {
    const { file } = request.params as { file: string };
    return answer(file === INDEX ? '' : file, request, reply);
  });
}

function streams(route: Route): boolean {
  return Object.values(route.answers).some(({ events }) => events !== undefined);
}

function send(answer: Answer, reply: FastifyReply, toJson: Services['toJson']): FastifyReply {
  if ('stream' in answer) {
    reply.hijack();
    answer.stream(reply.raw);
    return reply;
  }
  reply.code(answer.status);
  if (answer.headers !== undefined) reply.headers(answer.headers);
  if ('text' in answer) return reply.header('Content-Type', answer.contentType).send(answer.text);
  if (answer.body === undefined) return reply.send();
  return reply.type(JSON_TYPE).send(toJson(answer.body));
}

const PATTERNS = ROUTES.map(route => ({
  pattern: new RegExp(`^${route.path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  methods: route.method === 'GET' && !streams(route) ? ['GET', 'HEAD'] : [route.method],
}));

function pathFailure({ method, url }: FastifyRequest, reply: FastifyReply): SluiceError {
  const path = url.split('?', 1)[0] ?? '';
  const allowed = PATTERNS.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods);
  if (allowed.length === 0) return new SluiceError('PATH_UNKNOWN', 'there is nothing at this path');
  reply.raw.setHeader('Allow', allowed.join(', '));
  return new SluiceError('METHOD_NOT_ALLOWED', `the path does not know ${method}`);
}

/**
 * What came is no HTTP, or came too slowly: there is no request to answer, only a
 * connection.
 */
function answerUnreadable(code: string, socket: Socket, toJson: Services['toJson']): void {
  const failure =
    code === 'HPE_HEADER_OVERFLOW'
      ? new SluiceError('HEADERS_TOO_LARGE', 'the headers are larger than the daemon takes')
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new SluiceError('REQUEST_TIMEOUT', 'the request did not come in time')
        : new SluiceError('REQUEST_INVALID', 'what came is no HTTP request');
  const { status, headers, json } = failedAnswer(failure, toJson);
  const all = {
    ...ANSWER_HEADERS,
    ...headers,
    'Content-Type': JSON_TYPE,
    'Content-Length': Buffer.byteLength(json),
    Connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${json}`, () =>
    socket.destroy(),
  );
}
