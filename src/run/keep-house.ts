import { historyFolder } from '../disk/data-directory.ts';
import { SluiceError } from '../errors.ts';
import { pruneHistory } from '../history/history-limits.ts';
import type { RunWarning } from '../history/run-record.ts';
import { dropManifests, type KeepManifestsOptions, noteManifests } from '../publish/kept-manifests.ts';

export interface HouseOptions extends KeepManifestsOptions {
  /** Whoever keeps the records of the runs prunes them too. */
  readonly prunesHistory: boolean;
}

/**
 * What is to be done after a run, whether it was published or not, and may be left to the
 * next one: nothing of it fails a run.
 */
export async function keepHouse({ prunesHistory, ...options }: HouseOptions): Promise<RunWarning[]> {
  const { activation, published, now } = options;
  try {
    const { dataDirectory, name, history } = activation;
    const noted = published.length > 0 ? await noteManifests(options) : undefined;
    if (prunesHistory) await pruneHistory(historyFolder(dataDirectory, name), history, now);
    return noted === undefined ? [] : await dropManifests(noted, options);
  } catch (error) {
    if (error instanceof SluiceError || (error as NodeJS.ErrnoException).code !== undefined) return [];
    throw error;
  }
}
