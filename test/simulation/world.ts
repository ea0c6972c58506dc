import type { Clock } from '../../src/clock.ts';
import type { Random } from './random.ts';

/** What happens by itself at a step. */
interface Later {
  readonly step: number;
  readonly sentStep: number;
  readonly act: () => void;
}

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
  #later: Later[] = [];
  #sentStep: number | undefined;

  constructor(random: Random, trace: string[] | undefined) {
    this.random = random;
    this.trace = trace;
  }

  /** When what happens now was sent, which may be long ago. */
  get sentStep(): number {
    return this.#sentStep ?? this.step;
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
    this.#happen(due);
  }

  /**
   * `act` happens by itself after so many steps, whatever has become of the process that
   * caused it.
   */
  later(steps: number, act: () => void): void {
    this.#later.push({ step: this.step + steps, sentStep: this.step, act });
  }

  /** Everything that is still to come happens now. */
  settle(): void {
    const due = this.#later.sort((a, b) => a.step - b.step);
    this.#later = [];
    this.#happen(due);
  }

  #happen(due: readonly Later[]): void {
    for (const { sentStep, act } of due) {
      this.#sentStep = sentStep;
      act();
    }
    this.#sentStep = undefined;
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
