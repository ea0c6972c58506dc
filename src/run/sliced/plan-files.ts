import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type * as z from 'zod';
import { describeMisfit } from '../../config/tree/describe-misfit.ts';
import { withChecksum, withoutChecksum } from '../../disk/checksum.ts';
import { makeFolder, writeDurably } from '../../disk/durable-file.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { SluiceError } from '../../errors.ts';
import type { Decision } from '../../publish/decision.ts';
import { keptDecision } from '../../publish/read-decision.ts';
import { ATTEMPTS_TOLD_APART } from '../../sinks/block-ids.ts';
import { readError, stateError } from '../../system-errors.ts';
import {
  BEGIN_AGAIN,
  type SlicedPlan,
  type SliceFailure,
  type SliceResult,
  slicedPlan,
  sliceFailure,
  sliceResult,
} from './sliced-plan.ts';

/** What file systems without links answer, as some that are shared over a network. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * The plan of a run and, in the folder `PLAN.slices` beside it, what its slices leave
 * behind:
 *
 *   00003.attempt-01   slice 3 was attempted; it tells apart what attempts stage
 *   00003.json         the result of slice 3; of several the last one
 *   00003.failed.json  why its last attempt failed
 *   decision.json      what the run publishes; the first one stays
 *
 * Each is there whole or not at all, and carries a checksum. Several machines share them
 * where the file system is shared.
 */
export class PlanFiles {
  readonly path: string;
  readonly #folder: string;

  constructor(path: string) {
    this.path = resolve(path);
    this.#folder = `${this.path}.slices`;
  }

  /** Keeps the plan, unless there is one already. Returns the one that holds. */
  async begin(plan: SlicedPlan): Promise<SlicedPlan> {
    await this.#writing(async () => {
      await makeFolder(this.#folder);
      await this.#create(this.path, plan);
    });
    return this.readPlan();
  }

  /** `undefined` where there is none. */
  async findPlan(): Promise<SlicedPlan | undefined> {
    return this.#read(this.path, slicedPlan, BEGIN_AGAIN);
  }

  async readPlan(): Promise<SlicedPlan> {
    const plan = await this.findPlan();
    if (plan !== undefined) return plan;
    throw new SluiceError('USAGE', `there is no plan ${this.path}`, {
      hint: 'make one: `sluice begin NAME --out PLAN`',
      // It may come.
      retryable: true,
    });
  }

  /** The next attempt of a slice, counted from 1: nobody else has the same. */
  async claimAttempt({ run }: SlicedPlan, slice: number): Promise<number> {
    for (let attempt = 1; attempt < ATTEMPTS_TOLD_APART; attempt++) {
      const number = String(attempt).padStart(2, '0');
      const path = this.#pathOf(slice, `attempt-${number}`);
      const isFirst = await this.#writing(async () => {
        await makeFolder(this.#folder);
        return openNew(path);
      });
      if (isFirst) return attempt;
    }
    const message = `slice ${slice} of run ${run} was attempted ${ATTEMPTS_TOLD_APART - 1} times`;
    throw new SluiceError('STATE_STALE', message, { stage: 'run', hint: BEGIN_AGAIN });
  }

  async writeResult(result: SliceResult): Promise<void> {
    await this.#replace(this.#pathOf(result.slice, 'json'), result);
  }

  /** `undefined` where there is none. Rejects with STATE_DAMAGED. */
  async readResult(plan: SlicedPlan, slice: number): Promise<SliceResult | undefined> {
    const hint = `remove it and repeat: \`sluice slice PLAN ${slice}\``;
    const path = this.#pathOf(slice, 'json');
    const result = await this.#read(path, sliceResult, hint);
    if (result === undefined || (result.run === plan.run && result.slice === slice)) return result;
    throw new SluiceError('STATE_DAMAGED', `${path} belongs to another run`, { stage: 'state', hint });
  }

  async noteFailure(failure: SliceFailure): Promise<void> {
    await this.#replace(this.#pathOf(failure.slice, 'failed.json'), failure);
  }

  /** Why the last attempt of a slice failed, if it did and said so. */
  async readFailure(slice: number): Promise<SliceFailure | undefined> {
    return this.#read(this.#pathOf(slice, 'failed.json'), sliceFailure, '').catch(() => undefined);
  }

  /** Keeps the decision, unless there is one already. Returns the one that holds. */
  async decide(decision: Decision): Promise<Decision> {
    await this.#writing(() => this.#create(this.#decisionPath, decision));
    return (await this.readDecision())!;
  }

  async readDecision(): Promise<Decision | undefined> {
    const decision = await this.#read(this.#decisionPath, keptDecision, BEGIN_AGAIN);
    return decision as Decision | undefined;
  }

  get #decisionPath(): string {
    return join(this.#folder, 'decision.json');
  }

  #pathOf(slice: number, ending: string): string {
    return join(this.#folder, `${String(slice).padStart(5, '0')}.${ending}`);
  }

  async #replace(path: string, content: object): Promise<void> {
    await this.#writing(() =>
      writeDurably(path, textOf(content), { temporary: `${path}.${randomUUID()}.tmp` }),
    );
  }

  /** Whether it was not there. */
  async #create(path: string, content: object): Promise<boolean> {
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await writeDurably(temporary, textOf(content));
      await link(temporary, path);
      await syncFolder(dirname(path));
      return true;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') return false;
      if (NO_LINKS.has(code)) return openNew(path, textOf(content));
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #read<T>(path: string, schema: z.ZodType<T>, hint: string): Promise<T | undefined> {
    const damaged = (how: string, cause?: unknown): SluiceError =>
      new SluiceError('STATE_DAMAGED', `${path} ${how}`, { cause, stage: 'state', hint });
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw readError(cause, `${path} cannot be read`, () => damaged('cannot be read', cause));
    }
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch (cause) {
      throw damaged('is not JSON', cause);
    }
    const isObject = typeof content === 'object' && content !== null && 'crc' in content;
    const whole = isObject ? withoutChecksum(content as object) : undefined;
    if (whole === undefined) throw damaged('is not what was written');
    const { data, error } = schema.safeParse(whole);
    if (error === undefined) return data;
    throw damaged(`is not a document of this version: ${describeMisfit(error)}`);
  }

  async #writing<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      throw stateError(cause, `writing beside the plan ${this.path} failed`);
    }
  }
}

function textOf(content: object): string {
  return `${JSON.stringify(withChecksum(content), undefined, 2)}\n`;
}

async function openNew(path: string, text = ''): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    await file.writeFile(text);
    await file.sync();
    return true;
  } finally {
    await file.close();
  }
}
