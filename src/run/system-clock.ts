import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../publish/roll-forward.ts';

export const SYSTEM_CLOCK: Clock = { now: () => new Date(), sleep: milliseconds => sleep(milliseconds) };
