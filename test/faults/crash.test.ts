import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { Random } from '../simulation/random.ts';
import { everyNth } from '../support/all-cases.ts';
import { makeOlder } from '../support/older-baseline.ts';
import { type Settings, withCheckedExport } from './checked-export.ts';
import { ChildRuns } from './child-runs.ts';
import type { KillPoint } from './crashing-run.ts';

let children: ChildRuns;
before(async () => {
  children = await ChildRuns.open();
});
after(() => children.close());

const DELTA = { runType: 'full_then_delta' };
/** Between them, the first and the third take every kind of step. */
const CASES: [string, Settings][] = [
  ['full_only in parts under a fixed name', { fileName: 'fixed', maxFileRows: 4 }],
  ['upsert in parts', { ...DELTA, syncMode: 'upsert', maxFileRows: 2 }],
  ['difference', { ...DELTA, syncMode: 'difference' }],
  ['insert', { ...DELTA, syncMode: 'insert' }],
];
/**
 * Steps that take long enough to be killed in their midst. Otherwise the moment after a
 * step is the one before the next.
 */
const LONG = /^(?:journal\.(?:create|write|remove)|baseline\.apply)/;

for (const [what, settings] of everyNth(2, CASES)) {
  test(`a process that is killed before or during any step leaves what the next run fixes (${what})`, async t => {
    await withCheckedExport({ settings }, async subject => {
      const random = new Random(1);
      await subject.succeed();
      await subject.source.change(random);
      const steps = await subject.steps();
      const all = steps.flatMap((step): KillPoint[] => [
        { step, moment: 'before' },
        ...(LONG.test(step) ? [{ step, moment: 'during', turns: random.below(4) } as const] : []),
        ...(step === steps.at(-1) ? [{ step, moment: 'after' } as const] : []),
      ]);
      const points = everyNth(7, all);
      let killed = 0;
      let finished = 0;
      for (const point of points) {
        await subject.source.change(random);
        const { done } = await subject.runChild(children, point);
        if (done === undefined) killed++;
        const { recovered } = await subject.succeed();
        finished += recovered.length;
      }
      await subject.expectNoChange();
      t.diagnostic(
        `${steps.length} steps, ${killed} of ${points.length} runs killed, ${finished} finished later`,
      );
      assert.ok(killed > points.length * 0.8, `only ${killed} of ${points.length} were killed`);
    });
  });
}

test('a process that is killed while it finishes another, at any step, leaves what the next run fixes', async t => {
  const settings = { ...DELTA, syncMode: 'upsert', maxFileRows: 2 };
  await withCheckedExport({ settings }, async subject => {
    const random = new Random(2);
    const decide = async (): Promise<void> => {
      await subject.source.change(random);
      await subject.runChild(children, { step: 'store.commitBlocks #2', moment: 'before' });
    };
    await subject.succeed();
    await decide();
    const all = await subject.steps();
    const steps = all.slice(
      0,
      all.findIndex(step => step.startsWith('journal.create')),
    );
    for (const step of everyNth(7, steps)) {
      await decide();
      const { done } = await subject.runChild(children, { step, moment: 'before' });
      assert.equal(done, undefined, `not killed at ${step}`);
      const { recovered } = await subject.succeed();
      assert.ok(recovered.length <= 1);
    }
    await subject.expectNoChange();
    t.diagnostic(`killed at ${steps.length} steps of a recovery`);
  });
});

test('a process that is killed while it carries the baseline of an older version over leaves what the next run fixes', async t => {
  await withCheckedExport({ settings: { ...DELTA, syncMode: 'difference' } }, async subject => {
    const random = new Random(3);
    const becomeOlder = (): Promise<void> => {
      const rows = [...subject.source.rows].map(([id, name]): [string, string] => [String(id), name]);
      return makeOlder(join(subject.dataDirectory, 'activations', 'checked', 'baseline'), rows);
    };
    await subject.succeed();
    await subject.source.change(random);
    const steps = (await subject.steps()).filter(step => LONG.test(step));
    let finished = 0;
    for (const step of steps) {
      await becomeOlder();
      await subject.source.change(random);
      await subject.runChild(children, { step, moment: 'during', turns: random.below(4) });
      finished += (await subject.succeed()).recovered.length;
    }
    await subject.expectNoChange();
    assert.ok(finished > 0);
    t.diagnostic(`killed in ${steps.length} steps, ${finished} runs finished later`);
  });
});
