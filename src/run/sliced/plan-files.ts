import { randomUUID } from 'node:crypto';
import type * as z from 'zod';
import { describeMisfit } from '../../config/tree/describe-misfit.ts';
import { withChecksum, withoutChecksum } from '../../disk/checksum.ts';
import { SluiceError } from '../../errors.ts';
import type { Decision } from '../../publish/decision.ts';
import { keptDecision } from '../../publish/read-decision.ts';
import { ATTEMPTS_TOLD_APART } from '../../sinks/block-ids.ts';
import { PLAN, type PlanPlace } from './places/plan-place.ts';
import {
  BEGIN_AGAIN,
  type PartOwner,
  partOwner,
  type SlicedPlan,
  type SliceFailure,
  type SliceResult,
  slicedPlan,
  sliceFailure,
  sliceResult,
} from './sliced-plan.ts';

const DECISION = 'decision.json';

/**
 * The plan of a run and, beside it, what its slices leave behind:
 *
 *   00003.attempt-01   slice 3 was attempted; it tells apart what attempts stage
 *   00003.json         the result of slice 3; of several the last one
 *   00003.failed.json  why its last attempt failed
 *   part-000007        whose part 7 of the file is
 *   decision.json      what the run publishes; the first one stays
 *
 * Each carries a checksum.
 */
export class PlanFiles {
  readonly #place: PlanPlace;

  constructor(place: PlanPlace) {
    this.#place = place;
  }

  /** Keeps the plan, unless there is one already. Returns the one that holds. */
  async begin(plan: SlicedPlan): Promise<SlicedPlan> {
    await this.#place.create(PLAN, textOf(plan));
    return this.readPlan();
  }

  /** `undefined` where there is none. */
  async findPlan(): Promise<SlicedPlan | undefined> {
    return this.#read(PLAN, slicedPlan, BEGIN_AGAIN);
  }

  async readPlan(): Promise<SlicedPlan> {
    const plan = await this.findPlan();
    if (plan !== undefined) return plan;
    throw new SluiceError('USAGE', `there is no plan ${this.#place.plan}`, {
      hint: 'make one: `sluice begin NAME --out PLAN`',
      // It may come.
      retryable: true,
    });
  }

  /** The next attempt of a slice, counted from 1: nobody else has the same. */
  async claimAttempt({ run }: SlicedPlan, slice: number): Promise<number> {
    for (let attempt = 1; attempt < ATTEMPTS_TOLD_APART; attempt++) {
      const number = String(attempt).padStart(2, '0');
      const document = documentOf(slice, `attempt-${number}`);
      if (await this.#place.create(document, randomUUID())) return attempt;
    }
    const message = `slice ${slice} of run ${run} was attempted ${ATTEMPTS_TOLD_APART - 1} times`;
    throw new SluiceError('STATE_STALE', message, { stage: 'run', hint: BEGIN_AGAIN });
  }

  /**
   * The number of the next part of a slice behind `after`, one that it has already or one
   * that nobody has: attempts of a slice write the same parts, so that what one leaves
   * behind is used by the next.
   */
  async claimPart({ run }: SlicedPlan, slice: number, after: number): Promise<number> {
    for (let part = after + 1; ; part++) {
      const document = `part-${String(part).padStart(6, '0')}`;
      const read = (): Promise<PartOwner | undefined> => this.#read(document, partOwner, BEGIN_AGAIN);
      const claim = textOf({ run, slice, claim: randomUUID() });
      let owner = await read();
      if (owner === undefined && (await this.#place.create(document, claim))) return part;
      owner ??= await read();
      if (owner?.slice === slice && owner.run === run) return part;
    }
  }

  async writeResult(result: SliceResult): Promise<void> {
    await this.#place.replace(documentOf(result.slice, 'json'), textOf(result));
  }

  /** `undefined` where there is none. Rejects with STATE_DAMAGED. */
  async readResult(plan: SlicedPlan, slice: number): Promise<SliceResult | undefined> {
    const hint = `remove it and repeat: \`sluice slice PLAN ${slice}\``;
    const document = documentOf(slice, 'json');
    const result = await this.#read(document, sliceResult, hint);
    if (result === undefined || (result.run === plan.run && result.slice === slice)) return result;
    const message = `${this.#place.nameOf(document)} belongs to another run`;
    throw new SluiceError('STATE_DAMAGED', message, { stage: 'state', hint });
  }

  async noteFailure(failure: SliceFailure): Promise<void> {
    await this.#place.replace(documentOf(failure.slice, 'failed.json'), textOf(failure));
  }

  /** Why the last attempt of a slice failed, if it did and said so. */
  async readFailure(slice: number): Promise<SliceFailure | undefined> {
    return this.#read(documentOf(slice, 'failed.json'), sliceFailure, '').catch(() => undefined);
  }

  /** Keeps the decision, unless there is one already. Returns the one that holds. */
  async decide(decision: Decision): Promise<Decision> {
    await this.#place.create(DECISION, textOf(decision));
    return (await this.readDecision())!;
  }

  async readDecision(): Promise<Decision | undefined> {
    const decision = await this.#read(DECISION, keptDecision, BEGIN_AGAIN);
    return decision as Decision | undefined;
  }

  async #read<T>(document: string, schema: z.ZodType<T>, hint: string): Promise<T | undefined> {
    const damaged = (how: string, cause?: unknown): SluiceError =>
      new SluiceError('STATE_DAMAGED', `${this.#place.nameOf(document)} ${how}`, {
        cause,
        stage: 'state',
        hint,
      });
    const text = await this.#place.read(document);
    if (text === undefined) return undefined;
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
}

function documentOf(slice: number, ending: string): string {
  return `${String(slice).padStart(5, '0')}.${ending}`;
}

function textOf(content: object): string {
  return `${JSON.stringify(withChecksum(content), undefined, 2)}\n`;
}
