/** Whether a run is to be given up: a wish to cancel counts until the run is decided. */
export class Cancellation {
  readonly #wish: AbortSignal;
  readonly #abort = new AbortController();
  readonly #onWish = (): void => this.#abort.abort();

  constructor(wish: AbortSignal) {
    this.#wish = wish;
    wish.addEventListener('abort', this.#onWish);
    if (wish.aborted) this.#onWish();
  }

  /** Stops all that the run does. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The last moment: throws where the run is cancelled; later wishes come too late. */
  close(): void {
    this.signal.throwIfAborted();
    this.ignore();
  }

  ignore(): void {
    this.#wish.removeEventListener('abort', this.#onWish);
  }

  /** Whatever is still under way is of no use any more. */
  stop(): void {
    this.#abort.abort();
  }
}
