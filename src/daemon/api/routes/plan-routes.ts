import * as z from 'zod';
import { type Route, route } from '../route.ts';
import { planSchema } from '../schemas/plan-schema.ts';
import { activationName, planBody, planId, queryWait } from '../schemas/request-schema.ts';

export const PLAN_ROUTES: readonly Route[] = [
  route({
    operationId: 'planActivation',
    method: 'POST',
    path: '/v1/activations/{name}/plan',
    access: 'preview',
    tag: 'activations',
    summary: 'Find out what a run now would publish',
    description:
      'The answer comes at once; ask for the plan with `getPlan`. It goes as far as a run up to its decision: the source is read and compared, nothing is written, and the baseline is only read. It waits its turn as a run does, and no run of the activation begins meanwhile. Needs a token that may `preview`, as it shows rows.',
    params: z.strictObject({ name: activationName }),
    body: planBody,
    answers: {
      202: {
        description: 'The plan as it stands.',
        schema: planSchema,
        headers: { Location: 'Path of the plan.' },
      },
    },
    errors: ['NAME_UNKNOWN', 'PARAMETER_INVALID', 'TOO_MANY_REQUESTS', 'SHUTTING_DOWN'],
    handle: async ({ input, services }) => {
      const body = await services.operations.plan({ activation: input.params.name, ...input.body });
      return { status: 202, headers: { Location: `/v1/plans/${body.plan}` }, body };
    },
  }),

  route({
    operationId: 'getPlan',
    method: 'GET',
    path: '/v1/plans/{id}',
    access: 'preview',
    tag: 'activations',
    summary: 'One plan',
    description:
      'With `wait` the answer comes when the plan has ended, or after that time. It is known for an hour after its end, and not beyond an end of the daemon. One that cannot be made is `failed` with the `error` that a run would fail with.',
    params: z.strictObject({ id: planId }),
    query: z.strictObject({ wait: queryWait.exactOptional() }),
    answers: { 200: { description: 'The plan as it stands.', schema: planSchema } },
    errors: ['PLAN_UNKNOWN', 'TOO_MANY_REQUESTS'],
    handle: async ({ input, signal, services: { operations, waits } }) => {
      const { wait: timeoutMs = 0 } = input.query;
      const { id } = input.params;
      const body =
        timeoutMs === 0
          ? await operations.planned(id)
          : await waits.with(() => operations.planned(id, { timeoutMs, signal }));
      return { status: 200, body };
    },
  }),
];
