import { createHash } from 'node:crypto';
import * as z from 'zod';
import { type ErrorCode, SluiceError } from '../../../errors.ts';
import { validationReport } from '../../../run/validation/validation-report.ts';
import { openChangeStream } from '../change-stream.ts';
import { JSON_TYPE } from '../error-answer.ts';
import { type Call, type Route, route } from '../route.ts';
import {
  activationConfigurationSchema,
  activationListSchema,
  activationSchema,
  CHANGE_EVENTS,
  listedActivation,
  previewSchema,
  validationSchema,
} from '../schemas/activation-schema.ts';
import { activationName, pauseBody, queryInteger } from '../schemas/request-schema.ts';

/** What the process that looks may meet, whatever it finds. */
const PROBE_ERRORS = [
  'TOO_MANY_REQUESTS',
  'SOURCE_TIMEOUT',
  'CONFIG_INVALID',
  'PARAMETER_INVALID',
  'CONFIG_SECRET_MISSING',
  'RUN_KILLED',
  'RUN_HUNG',
  'RUN_OUT_OF_MEMORY',
  'CANCELLED',
] as const satisfies readonly ErrorCode[];

/** What a source says of a query; a validation has it among its checks. */
const PREVIEW_ERRORS = [
  'SOURCE_CONNECT_FAILED',
  'SOURCE_CREDENTIALS',
  'SOURCE_CONNECTION_LOST',
  'SOURCE_QUERY_CANCELLED',
  'SOURCE_QUERY_INVALID',
  'SOURCE_QUERY_FAILED',
  'SOURCE_PERMISSION',
  'SOURCE_NOT_READ_ONLY',
  'SOURCE_RATE_LIMIT',
  'SOURCE_TRANSIENT',
  'SOURCE_INCOMPLETE',
  'SOURCE_VALUE_TOO_LARGE',
  'COLUMN_UNKNOWN',
  'COLUMN_DUPLICATE',
] as const satisfies readonly ErrorCode[];

const byName = z.strictObject({ name: activationName });
const anActivation = { description: 'The activation as it stands.', schema: activationSchema };

export const ACTIVATION_ROUTES: readonly Route[] = [
  route({
    operationId: 'listActivations',
    method: 'GET',
    path: '/v1/activations',
    access: 'read',
    tag: 'activations',
    summary: 'Every activation',
    description:
      'Each as it stands: its last run, when it is due, whether it is paused, and the warnings that hold.',
    headers: z.object({
      'if-none-match': z
        .string()
        .exactOptional()
        .describe('`ETag` of an earlier answer: while nothing has changed the answer is 304.'),
    }),
    answers: {
      200: {
        description: 'The activations, by name.',
        schema: activationListSchema,
        headers: { ETag: 'Changes with the answer.' },
      },
      304: { description: 'All are as the answer with that `ETag` said.' },
    },
    errors: [],
    handle: async ({ input, services }) => {
      const activations = (await services.operations.activations()).map(listedActivation);
      const text = services.toJson({ activations });
      const ETag = `"${createHash('sha256').update(text).digest('base64url')}"`;
      const headers = { ETag };
      return input.headers['if-none-match'] === ETag
        ? { status: 304, headers }
        : { status: 200, headers, contentType: JSON_TYPE, text };
    },
  }),

  route({
    operationId: 'getActivation',
    method: 'GET',
    path: '/v1/activations/{name}',
    access: 'read',
    tag: 'activations',
    summary: 'One activation',
    description:
      'As it stands: its last run, when it is due, whether it is paused, and the warnings that hold.',
    params: byName,
    answers: { 200: anActivation },
    errors: ['NAME_UNKNOWN'],
    handle: async ({ input, services }) => ({
      status: 200,
      body: await services.operations.activation(input.params.name),
    }),
  }),

  route({
    operationId: 'getActivationConfiguration',
    method: 'GET',
    path: '/v1/activations/{name}/configuration',
    access: 'read',
    tag: 'activations',
    summary: 'What an activation is made of',
    description:
      'Its query, key, names, schedule and every setting with its default, as the daemon goes by it. Secrets are hidden.',
    params: byName,
    answers: {
      200: { description: 'As it is configured.', schema: activationConfigurationSchema },
    },
    errors: ['NAME_UNKNOWN'],
    handle: async ({ input, services }) => ({
      status: 200,
      body: await services.operations.configured(input.params.name),
    }),
  }),

  route({
    operationId: 'streamChanges',
    method: 'GET',
    path: '/v1/events',
    access: 'read',
    tag: 'activations',
    summary: 'Follow everything',
    description:
      'Server-sent events: whatever changes of activations and runs, from now on; ask for the list first, once the stream is open. `configuration` says that activations may have come or gone: ask for the list again. Comments come while nothing happens. A slow reader is told the newest of each only, and one that takes nothing is dropped.',
    answers: {
      200: {
        description: 'The events.',
        contentType: 'text/event-stream',
        schema: z.string(),
        events: CHANGE_EVENTS,
      },
    },
    errors: ['TOO_MANY_REQUESTS'],
    handle: ({ signal, services }) => openChangeStream(services, signal),
  }),

  route({
    operationId: 'validateActivation',
    method: 'POST',
    path: '/v1/activations/{name}/validate',
    access: 'read',
    tag: 'activations',
    summary: 'Find out whether a run would work',
    description:
      'Connects to source and destination and changes nothing. A check that fails is part of the answer, not a failure of the request.',
    params: byName,
    answers: { 200: { description: 'What was found out.', schema: validationSchema } },
    errors: ['NAME_UNKNOWN', ...PROBE_ERRORS],
    handle: async ({ input, signal, services }) => ({
      status: 200,
      body: validationReport(
        await probe({ signal, services }, limited =>
          services.operations.validate(input.params.name, limited),
        ),
      ),
    }),
  }),

  route({
    operationId: 'previewActivation',
    method: 'GET',
    path: '/v1/activations/{name}/preview',
    access: 'preview',
    tag: 'activations',
    summary: 'The first mapped rows',
    description:
      'Reads from the source, and needs a token that may `preview`, as it shows rows. Nothing is compared or written. It is for people to look at: long values are cut, and past 2 MiB in all no more rows are shown, though more were asked for; `complete` is false then.',
    params: byName,
    query: z.strictObject({
      rows: queryInteger({ min: 1, max: 1000 }).default(20).describe('At most this many rows, up to 1000.'),
    }),
    answers: { 200: { description: 'The rows.', schema: previewSchema } },
    errors: ['NAME_UNKNOWN', ...PROBE_ERRORS, ...PREVIEW_ERRORS],
    handle: async ({ input, signal, services }) => ({
      status: 200,
      body: await probe({ signal, services }, limited =>
        services.operations.preview(input.params.name, { rows: input.query.rows, signal: limited }),
      ),
    }),
  }),

  route({
    operationId: 'pauseActivation',
    method: 'POST',
    path: '/v1/activations/{name}/pause',
    access: 'write',
    tag: 'activations',
    summary: 'Let no run begin',
    description:
      'Runs that wait go on waiting, the one under way goes on. Triggers are refused until `resume`.',
    params: byName,
    body: pauseBody,
    answers: { 200: anActivation },
    errors: ['NAME_UNKNOWN', 'STATE_WRITE_FAILED', 'STATE_INACCESSIBLE'],
    handle: async ({ input, services }) => ({
      status: 200,
      body: await services.operations.pause(input.params.name, input.body.reason),
    }),
  }),

  route({
    operationId: 'resumeActivation',
    method: 'POST',
    path: '/v1/activations/{name}/resume',
    access: 'write',
    tag: 'activations',
    summary: 'Let runs begin again',
    description: 'Runs that wait begin, the oldest first. One that is not paused stays as it is.',
    params: byName,
    answers: { 200: anActivation },
    errors: ['NAME_UNKNOWN', 'STATE_WRITE_FAILED', 'STATE_INACCESSIBLE'],
    handle: async ({ input, services }) => ({
      status: 200,
      body: await services.operations.resume(input.params.name),
    }),
  }),
];

/** Asks a source or destination something: few at a time, and none forever. */
async function probe<T>(
  { signal, services }: Pick<Call<unknown>, 'signal' | 'services'>,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { probes, limits } = services;
  const limit = new AbortController();
  const stop = (): void => limit.abort();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, limits.probeTimeoutMs);
  signal.addEventListener('abort', stop);
  try {
    signal.throwIfAborted();
    return await probes.with(() => act(limit.signal));
  } catch (cause) {
    // Where it never had its turn, its source is not to blame.
    const hadTurn = !(cause instanceof SluiceError && cause.code === 'TOO_MANY_REQUESTS');
    if (!isLate || !hadTurn) throw cause;
    const message = `source and destination gave no whole answer within ${limits.probeTimeoutMs / 1000} s`;
    throw new SluiceError('SOURCE_TIMEOUT', message, { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
