import * as z from 'zod';
import type { DeepReadonly } from '../../../config/deep-freeze.ts';
import { hasEnded } from '../../../history/run-state.ts';
import { withoutSample } from '../../../history/without-sample.ts';
import { mayDo } from '../access-rules.ts';
import { LAST_EVENT_ID, openEventStream } from '../event-stream.ts';
import { type Route, route } from '../route.ts';
import {
  activationName,
  idempotencyKey,
  queryInteger,
  queryStates,
  queryWait,
  runId,
  triggerBody,
} from '../schemas/request-schema.ts';
import { RUN_EVENTS, type RunPageAnswer, runPageSchema, runSchema } from '../schemas/run-schema.ts';

const byId = z.strictObject({ id: runId });
const aRun = { description: 'The run as it stands.', schema: runSchema };

export const RUN_ROUTES: readonly Route[] = [
  route({
    operationId: 'triggerRun',
    method: 'POST',
    path: '/v1/activations/{name}/runs',
    access: 'write',
    tag: 'runs',
    summary: 'Ask for a run of an activation',
    description:
      'The answer comes as soon as the request is on disk; the run is then made, once, whatever ends the daemon. It waits its turn as `queued`. A request that is repeated with the same `Idempotency-Key` and options answers the same run, for 24 hours after its end at least (less where `daemon.history.keepFor` is), and for as long as the history holds it. An activation that has paused itself answers 409 with `Retry-After`, as it resumes by itself when its source answers; one that a user has paused answers 409 without.',
    params: z.strictObject({ name: activationName }),
    headers: z.object({ 'idempotency-key': idempotencyKey }),
    body: triggerBody,
    answers: {
      202: {
        description: 'The run, new or as an earlier request with the same key made it.',
        schema: runSchema,
        headers: {
          Location: 'Path of the run.',
          'Idempotency-Replayed':
            '`true` where an earlier request with the same key had made the run, else `false`.',
        },
      },
    },
    errors: [
      'NAME_UNKNOWN',
      'PARAMETER_INVALID',
      'RUN_UNKNOWN',
      'ACTIVATION_PAUSED',
      'IDEMPOTENCY_KEY_REUSED',
      'QUEUE_FULL',
      'SHUTTING_DOWN',
      'STATE_WRITE_FAILED',
      'STATE_INACCESSIBLE',
      'STATE_DAMAGED',
    ],
    handle: async ({ input, services }) => {
      const key = input.headers['idempotency-key'];
      const { record, isNew } = await services.operations.trigger({
        activation: input.params.name,
        trigger: 'http',
        ...input.body,
        ...(key === undefined ? {} : { idempotencyKey: key }),
      });
      const headers = { Location: `/v1/runs/${record.run}`, 'Idempotency-Replayed': String(!isNew) };
      return { status: 202, headers, body: record };
    },
  }),

  route({
    operationId: 'getRun',
    method: 'GET',
    path: '/v1/runs/{id}',
    access: 'read',
    tag: 'runs',
    summary: 'One run',
    description:
      'With `wait` the answer comes when the run has ended, or after that time. The rows of a held run, its `sample`, are there for tokens that may `preview`.',
    params: byId,
    query: z.strictObject({ wait: queryWait.exactOptional() }),
    answers: { 200: aRun },
    errors: ['RUN_UNKNOWN', 'TOO_MANY_REQUESTS', 'STATE_DAMAGED'],
    handle: async ({ input, signal, caller, services: { operations, waits } }) => {
      const { wait: timeoutMs = 0 } = input.query;
      const { id } = input.params;
      const record =
        timeoutMs === 0
          ? await operations.run(id)
          : await waits.with(() => operations.wait(id, { timeoutMs, signal }));
      return { status: 200, body: mayDo(caller, 'preview') ? record : withoutSample(record) };
    },
  }),

  route({
    operationId: 'listRuns',
    method: 'GET',
    path: '/v1/runs',
    access: 'read',
    tag: 'runs',
    summary: 'Runs, the newest first',
    description:
      'Those that wait or are under way, and those that the history holds, in pages. An activation that was removed from the configuration keeps its runs.',
    query: z.strictObject({
      activation: activationName.exactOptional().describe('Only runs of this activation.'),
      state: queryStates.exactOptional(),
      limit: queryInteger({ min: 1, max: 200 }).default(50).describe('At most this many, up to 200.'),
      before: runId.exactOptional().describe('Only runs older than this one: `next` of the page before.'),
    }),
    answers: { 200: { description: 'A page of runs.', schema: runPageSchema } },
    errors: ['NAME_UNKNOWN', 'STATE_DAMAGED'],
    handle: async ({ input: { query }, services }) => {
      const { records, more } = await services.operations.runs({
        limit: query.limit,
        ...(query.activation === undefined ? {} : { activation: query.activation }),
        ...(query.state === undefined ? {} : { states: query.state }),
        ...(query.before === undefined ? {} : { before: query.before }),
      });
      const next = records.at(-1)?.run;
      const runs = records.map(withoutSample);
      const body = { runs, more, ...(more && next !== undefined ? { next } : {}) };
      return { status: 200, body: body satisfies DeepReadonly<RunPageAnswer> };
    },
  }),

  route({
    operationId: 'cancelRun',
    method: 'POST',
    path: '/v1/runs/{id}/cancel',
    access: 'write',
    tag: 'runs',
    summary: 'Stop a run',
    description:
      'A queued run ends at once. One that is under way is asked to stop, and is `cancelled` soon after; wait for it with `getRun`. One whose publication is decided is finished all the same, and one that has ended stays as it is. One that is decided and can never be finished is given up by `sluice state reset NAME --abandon`, where the daemon runs, and by nothing else; its run is then `failed`.',
    params: byId,
    answers: { 200: aRun },
    errors: ['RUN_UNKNOWN', 'STATE_WRITE_FAILED', 'STATE_INACCESSIBLE', 'STATE_DAMAGED'],
    handle: async ({ input, services }) => ({
      status: 200,
      body: await services.operations.cancel(input.params.id),
    }),
  }),

  route({
    operationId: 'streamRunEvents',
    method: 'GET',
    path: '/v1/runs/{id}/events',
    access: 'read',
    tag: 'runs',
    summary: 'Follow a run',
    description:
      'Server-sent events: first a `state` with the run as it stands, then a `state` at each change and `progress` in between; the stream ends after a final state. Comments come while nothing happens. A reader that is too slow for the events is dropped. `Last-Event-ID` is no cursor, as the first event says all; with the id of the last event the answer is 204, so that an `EventSource` stops.',
    params: byId,
    headers: z.object({
      'last-event-id': z
        .string()
        .exactOptional()
        .describe('As an `EventSource` sends it when it connects again.'),
    }),
    answers: {
      200: {
        description: 'The events.',
        contentType: 'text/event-stream',
        schema: z.string(),
        events: RUN_EVENTS,
      },
      204: { description: 'The run has ended and the reader has seen it.' },
    },
    errors: ['RUN_UNKNOWN', 'TOO_MANY_REQUESTS', 'STATE_DAMAGED'],
    handle: async ({ input, signal, services }) => {
      const stream = await openEventStream({ id: input.params.id, signal, services });
      if (!hasEnded(stream.record) || input.headers['last-event-id'] !== LAST_EVENT_ID) return stream;
      stream.abandon();
      return { status: 204 };
    },
  }),
];
