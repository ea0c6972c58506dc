import type { Route } from './route.ts';
import { ACTIVATION_ROUTES } from './routes/activation-routes.ts';
import { DAEMON_ROUTES } from './routes/daemon-routes.ts';
import { PLAN_ROUTES } from './routes/plan-routes.ts';
import { RUN_ROUTES } from './routes/run-routes.ts';

/**
 * Every route of the HTTP API. Adding one is adding a row: types, checks, document and
 * reference page follow from it.
 */
export const ROUTES: readonly Route[] = [
  ...RUN_ROUTES,
  ...ACTIVATION_ROUTES,
  ...PLAN_ROUTES,
  ...DAEMON_ROUTES,
];
