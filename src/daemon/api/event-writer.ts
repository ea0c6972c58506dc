import type { ServerResponse } from 'node:http';
import type { HttpLimits } from './limits.ts';

export type EventLimits = Pick<HttpLimits, 'keepAliveCommentMs' | 'eventBacklogBytes'>;

/** Writes server-sent events to one reader. A reader that stands still is dropped. */
export class EventWriter {
  readonly #response: ServerResponse;
  readonly #limits: EventLimits;
  readonly #toJson: (value: unknown) => string;
  #isBlocked = false;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, limits: EventLimits, toJson: (value: unknown) => string) {
    this.#response = response;
    this.#limits = limits;
    this.#toJson = toJson;
  }

  /** Whether the reader has not taken yet what it was sent. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  get isOver(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /** `onRoom` is called each time that the reader has taken everything. */
  begin(onRoom: () => void): void {
    const response = this.#response;
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
    response.flushHeaders();
    response.on('drain', () => {
      this.#isBlocked = false;
      onRoom();
    });
    let wasBlocked = false;
    this.#keepAlive = setInterval(() => {
      // A reader that has taken nothing since the last comment is gone or stuck.
      if (wasBlocked && this.#isBlocked) response.destroy();
      else if (!this.#isBlocked) this.#send(': alive\n\n');
      wasBlocked = this.#isBlocked;
    }, this.#limits.keepAliveCommentMs);
  }

  /**
   * Drops a reader for which too much waits already; measured before, as one event alone
   * may be large.
   */
  write(name: string, data: unknown, id?: string): void {
    const response = this.#response;
    if (this.isOver) return;
    if (response.writableLength > this.#limits.eventBacklogBytes) return void response.destroy();
    const idLine = id === undefined ? '' : `id: ${id}\n`;
    this.#send(`event: ${name}\n${idLine}data: ${this.#toJson(data)}\n\n`);
  }

  end(): void {
    clearInterval(this.#keepAlive);
    const response = this.#response;
    if (response.writableEnded) return;
    response.end();
    // Who does not take what is left would keep its place until the network gives it up.
    // Time begins again with what it takes.
    response.setTimeout(this.#limits.keepAliveCommentMs, () => response.destroy());
  }

  #send(text: string): void {
    if (!this.#response.write(text)) this.#isBlocked = true;
  }
}
