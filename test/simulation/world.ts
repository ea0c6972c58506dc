import type { Clock } from '../../src/clock.ts';
import type { Random } from './random.ts';

/**
 * What all virtual parts share: one clock, one source of chance, one list of things that
 * happen later. Time passes only by steps, and a step is one interaction of a process
 * with something outside it, so a seed fixes everything.
 */
export class World implements Clock {
  readonly random: Random;
  /** Filled only where somebody will read it. */
  readonly trace: string[] | undefined;
  step = 0;
  #now = Date.UTC(2025, 0, 1);
  #later: { readonly step: number; readonly act: () => void }[] = [];

  constructor(random: Random, trace: string[] | undefined) {
    this.random = random;
    this.trace = trace;
  }

  now(): Date {
    return new Date(this.#now);
  }

  get milliseconds(): number {
    return this.#now;
  }

  async sleep(milliseconds: number): Promise<void> {
    this.pass(milliseconds);
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }

  note(text: string): void {
    this.trace?.push(`${String(this.step).padStart(5)}  ${text}`);
  }

  /** One step: what is due happens before it. */
  advance(): void {
    this.step++;
    this.#now += 7;
    if (this.#later.length === 0) return;
    const due = this.#later.filter(({ step }) => step <= this.step);
    if (due.length === 0) return;
    this.#later = this.#later.filter(({ step }) => step > this.step);
    for (const { act } of due) act();
  }

  /**
   * `act` happens by itself after so many steps, whatever has become of the process that
   * caused it.
   */
  later(steps: number, act: () => void): void {
    this.#later.push({ step: this.step + steps, act });
  }

  /** Everything that is still to come happens now. */
  settle(): void {
    const due = this.#later.sort((a, b) => a.step - b.step);
    this.#later = [];
    for (const { act } of due) act();
  }
}

/**
 * What a dead process is unwound with. It is no `SluiceError`, so that nothing takes it
 * for something to handle.
 */
export const CRASH = new Error('the process is dead');

/** One incarnation of the program: from its start to its end or to its crash. */
export class Process {
  readonly world: World;
  alive = true;
  #left: number;

  /** Dies at the moment that comes after so many others. */
  constructor(world: World, momentsToLive: number) {
    this.world = world;
    this.#left = momentsToLive;
  }

  /**
   * Begins an interaction. Whether the process dies right here, with the request on its
   * way.
   */
  diesSending(what: string): boolean {
    if (!this.alive) throw CRASH;
    this.world.advance();
    return this.#dies(`before ${what}`);
  }

  /** Begins an interaction that has no effect when the process dies. */
  enter(what: string): void {
    if (this.diesSending(what)) throw CRASH;
  }

  /** A moment within an interaction, or after its effect and before its answer. */
  pause(what: string): void {
    if (!this.alive) throw CRASH;
    if (this.#dies(`after ${what}`)) throw CRASH;
  }

  #dies(where: string): boolean {
    if (--this.#left > 0) return false;
    this.alive = false;
    this.world.note(`CRASH ${where}`);
    return true;
  }
}
