import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import type { ExportResult } from '../../../src/run/export-run.ts';
import { beginRun } from '../../../src/run/sliced/begin-run.ts';
import { type FinaliseRequest, finaliseRun } from '../../../src/run/sliced/finalise-run.ts';
import { FolderPlace } from '../../../src/run/sliced/places/folder-place.ts';
import { PlanFiles } from '../../../src/run/sliced/plan-files.ts';
import { readSlice } from '../../../src/run/sliced/read-slice.ts';
import type { SlicedPlan, SliceResult } from '../../../src/run/sliced/sliced-plan.ts';
import { Exporter } from '../../support/exporter.ts';

type Settings = Parameters<Exporter['activation']>[0];

/** The verbs of runs of one activation, each called as by a process of its own. */
export class Verbs {
  readonly exporter: Exporter;
  readonly #folder: string;
  #plans = 0;

  private constructor(exporter: Exporter, folder: string) {
    this.exporter = exporter;
    this.#folder = folder;
  }

  static async open(): Promise<Verbs> {
    return new Verbs(await Exporter.open(), await mkdtemp(join(tmpdir(), 'sluice-plans-')));
  }

  activation(settings: Settings): ResolvedActivation {
    return this.exporter.activation({ consistency: 'slice', ...settings });
  }

  /** Where a plan lies that nobody has begun. */
  place(): FolderPlace {
    return new FolderPlace(join(this.#folder, `plan-${++this.#plans}.json`));
  }

  files(): PlanFiles {
    return new PlanFiles(this.place());
  }

  begin(activation: ResolvedActivation, files: PlanFiles, wanted = 4): Promise<SlicedPlan> {
    return beginRun({ activation, files, wanted, signal: new AbortController().signal });
  }

  async slice(
    activation: ResolvedActivation,
    files: PlanFiles,
    slice: number,
  ): Promise<SliceResult | undefined> {
    const { signal } = new AbortController();
    return readSlice({ activation, files, plan: await files.readPlan(), slice, signal });
  }

  async finalise(
    activation: ResolvedActivation,
    files: PlanFiles,
    request: Partial<FinaliseRequest> = {},
  ): Promise<ExportResult> {
    const { signal } = new AbortController();
    return finaliseRun({ activation, files, plan: await files.readPlan(), signal, ...request });
  }

  /** All verbs once, in their order. */
  async all(activation: ResolvedActivation, wanted?: number): Promise<ExportResult & { plan: SlicedPlan }> {
    const files = this.files();
    const plan = await this.begin(activation, files, wanted);
    for (const slice of plan.slices.keys()) await this.slice(activation, files, slice);
    return { plan, ...(await this.finalise(activation, files)) };
  }

  async close(): Promise<void> {
    await this.exporter.close();
    await rm(this.#folder, { recursive: true });
  }
}

/** Numbers below 1 that are the same for the same seed. */
export function randomBy(seed: number): () => number {
  let state = seed * 7919;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
}

/** What a verb ends with that comes too early, or beside another one. */
export const EARLY: readonly unknown[] = ['USAGE', 'SOURCE_INCOMPLETE', 'STATE_LOCKED'];
