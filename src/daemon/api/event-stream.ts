import type { ServerResponse } from 'node:http';
import type { RunRecord } from '../../history/run-record.ts';
import { hasEnded } from '../../history/run-state.ts';
import { withoutSample } from '../../history/without-sample.ts';
import type { RunEvent } from '../operations.ts';
import { EventWriter } from './event-writer.ts';
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

/**
 * Begins to listen to a run. Rejects with RUN_UNKNOWN, and with TOO_MANY_REQUESTS while
 * there are too many streams.
 */
export async function openEventStream({ id, signal, services }: EventStreamRequest): Promise<EventStream> {
  const { operations, limits, eventStreams } = services;
  const release = eventStreams.take();
  let stopObserving: () => void = () => {};
  const abandon = (): void => {
    stopObserving();
    release();
  };
  try {
    // Listening begins before the run is read, so that no change falls between; the
    // latest event is as new as what is read.
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
        const writer = new RunEventWriter(new EventWriter(response, limits, services.toJson));
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

/**
 * Sends events of one run as fast as the reader takes them: of progress only the newest
 * waits.
 */
class RunEventWriter {
  readonly #writer: EventWriter;
  #nextId = 1;
  #waitingProgress: RunEvent | undefined;

  constructor(writer: EventWriter) {
    this.#writer = writer;
  }

  begin(record: RunRecord): void {
    this.#writer.begin(() => {
      const event = this.#waitingProgress;
      this.#waitingProgress = undefined;
      if (event !== undefined) this.write(event);
    });
    this.write({ type: 'state', record });
  }

  write(event: RunEvent): void {
    const writer = this.#writer;
    if (writer.isOver) return;
    if (event.type === 'progress') {
      if (writer.isBlocked) this.#waitingProgress = event;
      else writer.write('progress', { run: event.run, ...event.progress }, String(this.#nextId++));
      return;
    }
    this.#waitingProgress = undefined;
    const isLast = hasEnded(event.record);
    writer.write('state', withoutSample(event.record), isLast ? LAST_EVENT_ID : String(this.#nextId++));
    if (isLast) writer.end();
  }

  end(): void {
    this.#writer.end();
  }
}
