import { openDestination } from '../assemble.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import { findCompletionFile } from '../publish/completion.ts';
import { readLatest } from '../publish/latest-manifest.ts';
import { readDecision } from '../publish/read-decision.ts';
import { findCommittedNames } from '../publish/refused-commit.ts';
import type { StateFolder } from './state-folder.ts';

/** A decided run that was given up, and what is left of it where everybody can see it. */
export interface AbandonedRun {
  readonly run: string;
  /**
   * Its files that are published, which stay; absent where that could not be looked up.
   */
  readonly visible?: readonly string[];
  readonly notLookedUp?: string;
  /**
   * `latest.json` names it: the baseline is behind the destination, and only a full run
   * can follow.
   */
  readonly isLatest?: true;
}

/** A person waits for the answer. */
const PATIENCE_MS = 10_000;

/** Forgets decided runs. What is published of them stays, and is looked up first. */
export async function abandonRuns(
  folder: StateFolder,
  runs: readonly string[],
  activation: ResolvedActivation,
): Promise<readonly AbandonedRun[]> {
  const abandoned: AbandonedRun[] = [];
  for (const run of runs) {
    abandoned.push({ run, ...(await lookUp(folder, run, activation)) });
    await folder.journal.remove(run);
  }
  return abandoned;
}

/** Whose `latest.json` would name the run; what cannot be read does not say it. */
async function setOf(folder: StateFolder, run: string): Promise<Pick<ResolvedActivation, 'parameterSet'>> {
  try {
    const name = (await readDecision(folder.journal, run))?.baseline?.set;
    return name === undefined ? {} : { parameterSet: { name, values: {} } };
  } catch (error) {
    if (error instanceof SluiceError) return {};
    throw error;
  }
}

async function lookUp(
  folder: StateFolder,
  run: string,
  activation: ResolvedActivation,
): Promise<Omit<AbandonedRun, 'run'>> {
  try {
    const store = await openDestination(activation.destination, { retryBudgetMs: PATIENCE_MS });
    const { manifest } = await readLatest({ ...activation, ...(await setOf(folder, run)) }, store);
    const isLatest = manifest?.run === run && { isLatest: true as const };
    if (isLatest) {
      const { files, completion = [] } = manifest;
      return { ...isLatest, visible: [...files.map(({ name }) => name), ...completion] };
    }
    const decision = await readDecision(folder.journal, run);
    if (decision === undefined) return { visible: [] };
    const visible = [...(await findCommittedNames(decision, store))];
    for (const file of decision.completion?.files ?? []) {
      if ((await findCompletionFile(file, store)) !== undefined) visible.push(file.name);
    }
    return { visible };
  } catch (error) {
    if (error instanceof SluiceError) return { notLookedUp: error.message };
    throw error;
  }
}
