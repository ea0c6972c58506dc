import { rm } from 'node:fs/promises';
import { Baseline } from '../baseline/baseline.ts';
import type { ParameterSet } from '../config/parameters/parameter-set.ts';
import type { BoundParameters } from '../config/parameters/parameter-types.ts';
import { SluiceError } from '../errors.ts';
import { copyBaseline, snapshotPath } from './baseline-links.ts';
import type { StateFolder } from './state-folder.ts';
import { exists } from './state-io.ts';

/**
 * Rejects with PARAMETER_SETS_EXCEEDED where so many other sets have a baseline that this
 * one may not get one.
 */
export async function checkRoomForSet(folder: StateFolder, set: ParameterSet, most: number): Promise<void> {
  const others: string[] = [];
  for (const name of await folder.sets())
    if (name !== set.name && (await exists(folder.placeOf(name).baselinePath))) others.push(name);
  if (others.length < most) return;
  let kept = 0;
  for (const name of others) if (await hasState(folder.placeOf(name).baselinePath, folder.path)) kept++;
  if (kept < most) return;
  const message = `there are baselines for ${kept} other sets of parameter values, as many as maxParameterSets allows; this run has ${valuesText(set.values)}`;
  throw new SluiceError('PARAMETER_SETS_EXCEEDED', message, { stage: 'state' });
}

/** As a person gives them. */
export function valuesText(values: BoundParameters): string {
  return Object.entries(values)
    .map(([name, { value }]) => `${name}=${value ?? 'NULL'}`)
    .join(' ');
}

/** A killed first run leaves a baseline without one. It is looked for in a copy. */
async function hasState(baselinePath: string, activationFolder: string): Promise<boolean> {
  const copy = snapshotPath(activationFolder);
  try {
    await copyBaseline(baselinePath, copy);
    const baseline = await Baseline.open(copy);
    await baseline.close();
    return baseline.state !== undefined;
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'STATE_DAMAGED') return true;
    throw error;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
