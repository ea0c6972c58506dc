/** Where plans lie in `state`, and how they are named there. */

/** What names of plans begin with that are kept in `state`. */
export const STATE_PLAN = 'state:';
/** Below a destination, unless another one is configured. */
export const STATE_FOLDER = 'state/';
/** Below the folder of `state`. */
export const PLANS_FOLDER = 'plans/';
/** Takes ids of schedulers, as in `scheduled__2025-04-14T00:00:00+00:00`. */
export const PLAN_NAME = /^[A-Za-z0-9][\w.:+=@~-]{0,199}$/;
