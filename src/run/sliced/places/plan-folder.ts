import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { STATE_PLAN } from '../../../config/plan-name.ts';
import { readError, stateError } from '../../../system-errors.ts';
import { FolderPlace } from './folder-place.ts';
import type { PlanCollection } from './plan-place.ts';

/** `NAME.json` is a plan, and `NAME.json.slices` the folder beside it. */
const PLAN_FILE = /^(?<name>.+)\.json(?:\.slices)?$/;

/** Plans in a folder that all machines have mounted. */
export class PlanFolder implements PlanCollection {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  placeOf(name: string): FolderPlace {
    return new FolderPlace(this.#pathOf(name), `${STATE_PLAN}${name}`);
  }

  async list(): Promise<ReadonlyMap<string, readonly string[]>> {
    try {
      const names = (await readdir(this.#path)).map(file => PLAN_FILE.exec(file)?.groups?.['name']);
      return new Map(names.filter(name => name !== undefined).map(name => [name, []]));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      const doing = `${this.#path} cannot be read`;
      throw readError(cause, doing, () => stateError(cause, doing));
    }
  }

  /** Documents need not be told: they have a folder of their own. */
  async remove(name: string): Promise<void> {
    const path = this.#pathOf(name);
    try {
      await rm(`${path}.slices`, { recursive: true, force: true });
      await rm(path, { force: true });
    } catch (cause) {
      throw stateError(cause, `removing the old plan ${path} failed`);
    }
  }

  #pathOf(name: string): string {
    return join(this.#path, `${name}.json`);
  }
}
