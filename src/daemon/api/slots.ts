import { SluiceError } from '../../errors.ts';

/** A limited number of places without a queue: a caller that finds none asks again. */
export class Slots {
  readonly #what: string;
  readonly #limit: number;
  #taken = 0;

  constructor(what: string, limit: number) {
    this.#what = what;
    this.#limit = limit;
  }

  /** Throws TOO_MANY_REQUESTS; what is returned gives the slot back, once. */
  take(): () => void {
    if (this.#taken >= this.#limit) {
      throw new SluiceError('TOO_MANY_REQUESTS', `${this.#limit} ${this.#what} are under way already`);
    }
    this.#taken++;
    let isFree = false;
    return () => {
      if (isFree) return;
      isFree = true;
      this.#taken--;
    };
  }

  async with<T>(act: () => Promise<T>): Promise<T> {
    const release = this.take();
    try {
      return await act();
    } finally {
      release();
    }
  }
}
