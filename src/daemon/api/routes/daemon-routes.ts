import * as z from 'zod';
import type { DeepReadonly } from '../../../config/deep-freeze.ts';
import { type Route, route } from '../route.ts';
import { aliveSchema, readinessSchema, reloadSchema } from '../schemas/activation-schema.ts';
import { type CallerAnswer, callerSchema } from '../schemas/caller-schema.ts';

export const DAEMON_ROUTES: readonly Route[] = [
  route({
    operationId: 'reload',
    method: 'POST',
    path: '/v1/reload',
    access: 'write',
    tag: 'daemon',
    summary: 'Read the configuration again',
    description:
      'A bad configuration is refused with every problem in it, and the old one stays. Runs under way keep theirs. A token for some activations may not.',
    answers: { 200: { description: 'What changed.', schema: reloadSchema } },
    errors: ['CONFIG_INVALID', 'CONFIG_NOT_FOUND', 'CONFIG_SECRET_MISSING'],
    handle: async ({ services }) => ({ status: 200, body: await services.operations.reload() }),
  }),

  route({
    operationId: 'getMe',
    method: 'GET',
    path: '/v1/me',
    access: 'read',
    tag: 'daemon',
    summary: 'Who calls',
    description: 'What the token of the request may, and which daemon answers.',
    answers: { 200: { description: 'The caller.', schema: callerSchema } },
    errors: [],
    handle: ({ caller, services }) => {
      const { access, operations } = services;
      const { may, token, activations } = caller;
      const me = {
        may: may === 'nothing' ? 'read' : may,
        ...(activations !== undefined && { activations }),
        ...(token !== undefined && { tokenName: token }),
        tokensRequired: access.tokensRequired,
        version: operations.health().version,
        ...(access.title !== undefined && { title: access.title }),
      } as const;
      return { status: 200, body: me satisfies DeepReadonly<CallerAnswer> };
    },
  }),

  route({
    operationId: 'getOpenApi',
    method: 'GET',
    path: '/openapi.json',
    access: 'read',
    tag: 'daemon',
    summary: 'This document',
    description: 'The HTTP API in OpenAPI 3.1, for generating clients.',
    answers: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) } },
    errors: [],
    handle: ({ services }) => ({ status: 200, contentType: 'application/json', text: services.openApi() }),
  }),

  route({
    operationId: 'getHealth',
    method: 'GET',
    path: '/healthz',
    access: 'anyone',
    tag: 'daemon',
    summary: 'Whether the daemon is alive',
    description: 'For a supervisor that restarts what does not answer.',
    answers: { 200: { description: 'It is.', schema: aliveSchema } },
    errors: [],
    handle: () => ({ status: 200, body: { status: 'alive' } }),
  }),

  route({
    operationId: 'getReadiness',
    method: 'GET',
    path: '/readyz',
    access: 'anyone',
    tag: 'daemon',
    summary: 'Whether the daemon takes requests',
    description: 'For a load balancer or an orchestrator.',
    answers: {
      200: { description: 'It does.', schema: readinessSchema },
      503: { description: 'It is starting or stopping.', schema: readinessSchema },
    },
    errors: [],
    handle: ({ services, mayRead }) => {
      const health = services.operations.health();
      const { state } = health;
      return { status: state === 'ready' ? 200 : 503, body: mayRead ? health : { state } };
    },
  }),

  route({
    operationId: 'getMetrics',
    method: 'GET',
    path: '/metrics',
    access: 'read',
    tag: 'daemon',
    summary: 'Metrics for Prometheus',
    description:
      'In the text format; `docs/reference/metrics.md` says what each metric means. A token for some activations is shown theirs, and no sums over all.',
    answers: {
      200: { description: 'The metrics.', contentType: 'text/plain', schema: z.string() },
    },
    errors: [],
    handle: async ({ services, sees }) => ({ status: 200, ...(await services.metrics.render(sees)) }),
  }),
];
