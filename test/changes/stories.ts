/**
 * Histories that go wrong where a check is left out: what was noted with the baseline is
 * replaced by what holds now, as if nobody compared the two.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONDITIONS } from '../../src/sources/postgres/changes/conditions.ts';
import type { SnapshotMark } from '../../src/sources/source.ts';
import { type TableRun, TableRuns, type TableRunsOptions } from './table-runs.ts';

export type Condition = keyof typeof CONDITIONS;
export type Forge = NonNullable<TableRunsOptions['forge']>;

export const FILL = `create table t (id int primary key, v text, n int);
  insert into t select i, 'v' || i, i from generate_series(1, 5) i`;

export interface Story extends Pick<TableRunsOptions, 'url'> {
  readonly table?: string;
  readonly rowSecurity?: TableRunsOptions['rowSecurity'];
  /** What is left out, with the reason that it gives where it is not. */
  readonly without: readonly Condition[] | { readonly forge: Forge; readonly reason: RegExp };
  /** What else would notice, and is left out always. */
  readonly beside?: readonly Condition[];
  readonly first?: Parameters<TableRuns['run']>[0];
  /** Between the two runs; gives what is different in the second one. */
  readonly event: () => Promise<Parameters<TableRuns['run']>[0]>;
  /**
   * Keys of rows that the second run has to write as added or updated, and how many it
   * removes.
   */
  readonly written: readonly number[];
  readonly removed?: number;
}

/** Plays it for two: one that compares all rows and says why, and one that goes wrong. */
export async function playStory(story: Story): Promise<void> {
  const { url, without, beside = [], first, event, written, removed = 0 } = story;
  const { forge, reason } = 'forge' in without ? without : mutationOf(without);
  const { table, rowSecurity } = story;
  const options = { url, ...(table && { table }), ...(rowSecurity && { rowSecurity }) };
  await withRuns({ ...options, forge: forging(beside) }, checked =>
    withRuns({ ...options, forge: both(forging(beside), forge) }, async unchecked => {
      await checked.run(first);
      await unchecked.run(first);
      const changed = await event();
      const wrong = await unchecked.run(changed).catch((error: Error) => error);
      const right = await checked.run(changed);
      assert.deepEqual([right.mode, writtenBy(right), right.counts.removed], ['full', written, removed]);
      assert.match(right.reason!, reason);
      if (wrong instanceof Error) return;
      assert.equal(wrong.mode, 'xmin', wrong.reason);
      assert.notDeepEqual([writtenBy(wrong), wrong.counts.removed], [written, removed]);
    }),
  );
}

function mutationOf(without: readonly Condition[]): { readonly forge: Forge; readonly reason: RegExp } {
  const reasons = without.map(name => CONDITIONS[name]);
  return { forge: forging(without), reason: new RegExp(`^(?:${reasons.join('|')})$`) };
}

/** Replaces what was noted of these conditions by what holds now. */
function forging(without: readonly Condition[]): Forge {
  return (before, now) => ({
    ...before,
    conditions: {
      ...before.conditions,
      ...Object.fromEntries(without.map(name => [name, now.conditions[name]!])),
    },
  });
}

function both(one: Forge, other: Forge): Forge {
  return (before: SnapshotMark, now: SnapshotMark) => other(one(before, now), now);
}

export const writtenBy = ({ added, updated }: TableRun): number[] =>
  [...added, ...updated].map(row => Number(JSON.parse(row)[0])).sort((a, b) => a - b);

export async function withRuns<T>(
  options: Pick<TableRunsOptions, 'url' | 'forge' | 'rowSecurity' | 'where'> & { readonly table?: string },
  act: (runs: TableRuns) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-conditions-'));
  const runs = await TableRuns.open({ table: 't', syncMode: 'difference', folder, ...options });
  try {
    return await act(runs);
  } finally {
    await runs.close();
    await rm(folder, { recursive: true, force: true });
  }
}
