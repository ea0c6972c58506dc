import type { ServerResponse } from 'node:http';
import type { RunRecord } from '../../history/run-record.ts';
import { hasEnded } from '../../history/run-state.ts';
import type { RunEvent } from '../operations.ts';
import type { Services } from './route.ts';

/** Id of the event with the final state; the others are counted from 1. */
export const LAST_EVENT_ID = 'end';

export interface EventStreamRequest {
  readonly id: string;
  /** Ends the stream. */
  readonly signal: AbortSignal;
  readonly services: Services;
}

export interface EventStream {
  /** The run as it stood when the stream was opened. */
  readonly record: RunRecord;
  /** Sends the events, to the last one. */
  readonly stream: (response: ServerResponse) => void;
  /** Instead of `stream`. */
  readonly abandon: () => void;
}

/** Begins to listen to a run. Rejects with RUN_UNKNOWN, and with TOO_MANY_REQUESTS while there are too many streams. */
export async function openEventStream({ id, signal, services }: EventStreamRequest): Promise<EventStream> {
  const { operations, limits, eventStreams } = services;
  const release = eventStreams.take();
  let stopObserving: () => void = () => {};
  const abandon = (): void => {
    stopObserving();
    release();
  };
  try {
    // Listening begins before the run is read, so that no change falls between; the latest event is as new as what is read.
    let latest: RunRecord | undefined;
    let deliver = (event: RunEvent): void => {
      if (event.type === 'state') latest = event.record;
    };
    stopObserving = operations.observe(id, event => deliver(event));
    const read = await operations.run(id);
    return {
      record: latest ?? read,
      abandon,
      stream: response => {
        const writer = new EventWriter(response, limits, services.toJson);
        const end = (): void => {
          abandon();
          writer.end();
        };
        signal.addEventListener('abort', end);
        deliver = event => writer.write(event);
        writer.begin(latest ?? read);
        if (signal.aborted) end();
      },
    };
  } catch (cause) {
    abandon();
    throw cause;
  }
}

type WriterLimits = Pick<Services['limits'], 'keepAliveCommentMs' | 'eventBacklogBytes'>;

/** Writes events as fast as the reader takes them: of progress only the newest waits, and a reader that stands still is dropped. */
class EventWriter {
  readonly #response: ServerResponse;
  readonly #limits: WriterLimits;
  readonly #toJson: (value: unknown) => string;
  #nextId = 1;
  #isBlocked = false;
  #waitingProgress: RunEvent | undefined;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, limits: WriterLimits, toJson: (value: unknown) => string) {
    this.#response = response;
    this.#limits = limits;
    this.#toJson = toJson;
  }

  begin(record: RunRecord): void {
    const response = this.#response;
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
    response.flushHeaders();
    response.on('drain', () => this.#drained());
    let wasBlocked = false;
    this.#keepAlive = setInterval(() => {
      // A reader that has taken nothing since the last comment is gone or stuck.
      if (wasBlocked && this.#isBlocked) response.destroy();
      else if (!this.#isBlocked) this.#send(': alive\n\n');
      wasBlocked = this.#isBlocked;
    }, this.#limits.keepAliveCommentMs);
    this.write({ type: 'state', record });
  }

  write(event: RunEvent): void {
    const response = this.#response;
    if (response.writableEnded || response.destroyed) return;
    if (event.type === 'progress') {
      if (this.#isBlocked) this.#waitingProgress = event;
      else this.#sendEvent('progress', { run: event.run, ...event.progress }, String(this.#nextId++));
      return;
    }
    this.#waitingProgress = undefined;
    // Measured before, as one event alone may be large.
    if (response.writableLength > this.#limits.eventBacklogBytes) return void response.destroy();
    const isLast = hasEnded(event.record);
    this.#sendEvent('state', event.record, isLast ? LAST_EVENT_ID : String(this.#nextId++));
    if (isLast) this.end();
  }

  end(): void {
    clearInterval(this.#keepAlive);
    const response = this.#response;
    if (response.writableEnded) return;
    response.end();
    // Who does not take what is left would keep its place until the network gives it up. Time begins again with what it takes.
    response.setTimeout(this.#limits.keepAliveCommentMs, () => response.destroy());
  }

  #drained(): void {
    this.#isBlocked = false;
    const event = this.#waitingProgress;
    this.#waitingProgress = undefined;
    if (event !== undefined) this.write(event);
  }

  #sendEvent(name: RunEvent['type'], data: unknown, id: string): void {
    this.#send(`event: ${name}\nid: ${id}\ndata: ${this.#toJson(data)}\n\n`);
  }

  #send(text: string): void {
    if (!this.#response.write(text)) this.#isBlocked = true;
  }
}
