import { SluiceError } from '../errors.ts';
import type { Health, Operations } from './operations.ts';

/**
 * Stands in for a daemon that still reads what the last one left: it lives, and
 * everything else is asked for too early.
 */
export class OpeningOperations implements Operations {
  readonly #health: Health;

  constructor({ version, startedAt }: Pick<Health, 'version' | 'startedAt'>) {
    this.#health = { state: 'starting', version, startedAt, running: 0, queued: 0, problems: [] };
  }

  health(): Health {
    return this.#health;
  }

  trigger = refuse;
  run = refuse;
  runs = refuse;
  wait = refuse;
  cancel = refuse;
  activations = refuse;
  activation = refuse;
  configured = refuse;
  validate = refuse;
  plan = refuse;
  planned = refuse;
  preview = refuse;
  pause = refuse;
  resume = refuse;
  reload = refuse;

  observe(): never {
    throw tooEarly();
  }

  observeAll(): never {
    throw tooEarly();
  }
}

async function refuse(): Promise<never> {
  throw tooEarly();
}

function tooEarly(): SluiceError {
  return new SluiceError('STARTING', 'the daemon is starting, and reads what the last one left');
}
