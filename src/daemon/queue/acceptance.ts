import type { DaemonClock } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { checkGiven, checkWhole, isSameSet, refuseSecrets } from '../../config/parameters/bind-parameters.ts';
import { SluiceError, type SluiceErrorOptions } from '../../errors.ts';
import { isoInstant } from '../../history/iso-instant.ts';
import { newRecord } from '../../history/new-record.ts';
import type { RunOptions, RunRecord } from '../../history/run-record.ts';
import type { Configuration } from '../configuration.ts';
import type { RunHistory } from '../history/run-history.ts';
import type { Triggered, TriggerRequest } from '../operations.ts';
import type { Pauses } from '../pauses/pauses.ts';
import { LiveRun, toAccepted } from './live-run.ts';
import type { RequestLog } from './request-log.ts';
import type { RunQueue } from './run-queue.ts';

export interface AcceptanceParts {
  readonly configuration: Configuration;
  readonly requests: RequestLog;
  readonly queue: RunQueue;
  readonly history: RunHistory;
  readonly pauses: Pauses;
  readonly clock: DaemonClock;
}

const RESUMES_BY_ITSELF: SluiceErrorOptions = {
  hint: 'it resumes by itself when its source answers; ask again later, or resume it',
  retryable: true,
};

interface Accepting {
  readonly run: LiveRun;
  readonly durable: Promise<void>;
}

/** Takes requests for runs: each key makes one run, and what is accepted is on disk. */
export class Acceptance {
  readonly #parts: AcceptanceParts;
  /**
   * Runs that are being written to the log of requests, by activation and key, or by id:
   * they count, and have no place in the queue yet.
   */
  readonly #accepting = new Map<string, Accepting>();

  constructor(parts: AcceptanceParts) {
    this.#parts = parts;
  }

  /** See `Operations.trigger`. */
  async accept(request: TriggerRequest): Promise<Triggered> {
    const { configuration, requests, queue } = this.#parts;
    const { activation: name, idempotencyKey } = request;
    const activation = configuration.resolve(name);
    this.#refuseSecret(request);
    const asked = optionsOf(request, activation);
    refuseSecrets(asked.params ?? {}, text => configuration.redactor.clean(text));
    const earlier = this.#findByKey(request);
    if (earlier) return this.#answerAgain(request, asked, await earlier);

    // Up to where `#accepting` knows the run nothing is waited for: two requests with one
    // key never get here both.
    this.#refuse(name);
    checkWhole(activation, asked.params);
    const record = this.#newRun(activation, request, asked);
    const run = new LiveRun(record);
    const key = idempotencyKey === undefined ? record.run : keyOf(name, idempotencyKey);
    const durable = requests.put(toAccepted(run)).then(() => queue.add(run));
    this.#accepting.set(key, { run, durable });
    try {
      await durable;
    } finally {
      this.#accepting.delete(key);
    }
    return { record, isNew: true };
  }

  /** A key is kept and told as it came. */
  #refuseSecret({ trigger, idempotencyKey: key }: TriggerRequest): void {
    if (key === undefined || trigger !== 'http') return;
    if (this.#parts.configuration.redactor.clean(key) === key) return;
    throw new SluiceError('REQUEST_INVALID', 'header Idempotency-Key holds a secret, or looks like one', {
      hint: 'make the key of what is wanted, such as a name and a date: it is kept and shown',
    });
  }

  #refuse(name: string): void {
    const { configuration, queue, pauses } = this.#parts;
    const pause = pauses.get(name);
    if (pause) {
      const message = `${name} is paused since ${pause.since}: ${pause.reason}`;
      throw new SluiceError('ACTIVATION_PAUSED', message, pause.by === 'failures' ? RESUMES_BY_ITSELF : {});
    }
    let waiting = queue.waitingOf(name).length;
    for (const { run } of this.#accepting.values()) if (run.record.activation === name) waiting++;
    const limit = configuration.daemon.queueLimit;
    if (waiting >= limit) throw new SluiceError('QUEUE_FULL', `${limit} runs of ${name} wait already`);
  }

  #newRun(activation: ResolvedActivation, request: TriggerRequest, asked: RunOptions): RunRecord {
    const { trigger, idempotencyKey, scheduledFor } = request;
    const instant = this.#parts.clock.now();
    return {
      ...newRecord(activation, { trigger, instant, full: asked.full }),
      requestedAt: isoInstant(instant),
      ...(Object.keys(asked).length > 0 && { asked }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      ...(scheduledFor && { scheduledFor: scheduledFor.toISOString() }),
    };
  }

  /**
   * The run that the request's key made before; to be waited for where it is not on disk
   * yet.
   */
  #findByKey({ activation, idempotencyKey }: TriggerRequest): Promise<RunRecord> | undefined {
    if (idempotencyKey === undefined) return undefined;
    const { queue, history } = this.#parts;
    const accepting = this.#accepting.get(keyOf(activation, idempotencyKey));
    if (accepting) return accepting.durable.then(() => accepting.run.record);
    const live = queue.findByKey(activation, idempotencyKey);
    if (live) return Promise.resolve(live.record);
    const ended = history.runOf(activation, idempotencyKey);
    if (ended === undefined) return undefined;
    return history.read(ended).then(record => {
      if (record) return record;
      throw new SluiceError('RUN_UNKNOWN', `the record of run ${ended} is gone; ask again`);
    });
  }

  #answerAgain(request: TriggerRequest, asked: RunOptions, record: RunRecord): Triggered {
    if (isSame(record.asked ?? {}, asked)) return { record, isNew: false };
    const message = `the key ${JSON.stringify(request.idempotencyKey)} made run ${record.run}, with other options`;
    throw new SluiceError('IDEMPOTENCY_KEY_REUSED', message);
  }
}

function keyOf(activation: string, idempotencyKey: string): string {
  // Names of activations hold no spaces.
  return `${activation} ${idempotencyKey}`;
}

/** Throws PARAMETER_INVALID. */
function optionsOf({ full, allowRemovals, params }: RunOptions, activation: ResolvedActivation): RunOptions {
  const given = checkGiven(activation, params);
  return {
    ...(full && { full }),
    ...(allowRemovals && { allowRemovals }),
    ...(Object.keys(given).length > 0 && { params: given }),
  };
}

function isSame(a: RunOptions, b: RunOptions): boolean {
  return a.full === b.full && a.allowRemovals === b.allowRemovals && isSameSet(a.params, b.params);
}
