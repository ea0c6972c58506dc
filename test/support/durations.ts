/**
 * How long each test file takes, as `npm test -- --keep-durations` measured it, in
 * `test/support/durations.json`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const KEPT = path.join(import.meta.dirname, 'durations.json');

export class Durations {
  readonly #seconds: ReadonlyMap<string, number>;
  /**
   * By its name without folder, of a file whose name no other has: a file that was moved
   * takes as long as before.
   */
  readonly #byName = new Map<string, number>();
  readonly #median: number;

  constructor(seconds: Readonly<Record<string, number>>) {
    this.#seconds = new Map(Object.entries(seconds));
    const twice = new Set<string>();
    for (const [file, value] of this.#seconds) {
      const name = path.basename(file);
      if (this.#byName.has(name)) twice.add(name);
      this.#byName.set(name, value);
    }
    for (const name of twice) this.#byName.delete(name);
    const sorted = [...this.#seconds.values()].sort((a, b) => a - b);
    this.#median = sorted[sorted.length >> 1] ?? 1;
  }

  static kept(): Durations {
    return new Durations(JSON.parse(readFileSync(KEPT, 'utf8')) as Record<string, number>);
  }

  /** As long as most where it is unknown. */
  secondsOf(file: string): number {
    const normal = path.normalize(file);
    return this.#seconds.get(normal) ?? this.#byName.get(path.basename(normal)) ?? this.#median;
  }
}

/** Replaces what is known of these files, and forgets those that are gone. */
export function keepDurations(
  measured: ReadonlyMap<string, number>,
  existing: (file: string) => boolean,
): void {
  const known = JSON.parse(readFileSync(KEPT, 'utf8')) as Record<string, number>;
  const all = new Map([...Object.entries(known), ...measured]);
  const rounded = [...all]
    .filter(([file]) => existing(file))
    .map(([file, seconds]): [string, number] => [file, Math.round(seconds * 10) / 10])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(KEPT, `${JSON.stringify(Object.fromEntries(rounded), undefined, 2)}\n`);
}
