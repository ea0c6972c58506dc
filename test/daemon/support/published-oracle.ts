import assert from 'node:assert/strict';
import type { Manifest } from '../../../src/publish/manifest.ts';
import { expectedRows, readPublished } from '../../faults/published-rows.ts';
import type { Rows } from '../../faults/source-history.ts';
import type { TestContainer } from '../../support/azurite.ts';
import { versionAmong } from './changing-tables.ts';

export interface PublishedSubject {
  readonly activation: string;
  readonly syncMode: string;
  readonly container: TestContainer;
  /** What the table held after each of its changes. */
  readonly versions: ReadonlyMap<number, Rows>;
  /** Runs that were promised, in the order in which they were. */
  readonly runs: readonly string[];
}

/**
 * Reads everything that an activation has published, in the order of its generations, and
 * proves from the log of the database alone that each promised run is there once, each
 * with exactly the changes since the one before it.
 */
export async function checkPublished(subject: PublishedSubject): Promise<readonly Manifest[]> {
  const { activation, syncMode, container, versions, runs } = subject;
  const manifests = await manifestsOf(container, activation);
  assert.deepEqual(
    manifests.map(({ run }) => run),
    runs,
    `${activation}: the generations are not the runs that were promised, in their order`,
  );
  let version = 0;
  /** What was exported last; of `insert`, all keys that ever were. */
  let before: Rows = new Map();
  for (const [index, manifest] of manifests.entries()) {
    const { run, generation, previousGeneration, full, counts } = manifest;
    const name = `generation ${generation} of ${activation}, ${run}`;
    assert.deepEqual([generation, previousGeneration], [index + 1, index], `${name}: not the next one`);
    const rows = await readPublished(container, manifest);
    const shown = versionAmong(rows.filter(({ change }) => change !== 'removed').map(({ key }) => key));
    assert.ok((shown ?? version) >= version, `${name}: shows what was before the last run`);
    version = shown ?? version;
    const seen = versions.get(version);
    assert.ok(seen, `${name}: the table never was as it says`);
    const expected = expectedRows(full ? new Map() : before, seen, syncMode, full);
    const actual = new Map(rows.map(({ key, name: value, change }) => [key, `${change} ${value}`]));
    assert.equal(actual.size, rows.length, `${name}: a key is there twice`);
    assert.deepEqual(sorted(actual), sorted(expected), `${name}: not the changes of the source`);
    assert.equal(counts.read, seen.size, `${name}: rows read`);
    before = syncMode === 'insert' ? new Map([...before, ...seen]) : seen;
  }
  const promised = new Set(runs);
  for (const { name, metadata } of await container.describe()) {
    const by = metadata?.['run'];
    if (by !== undefined && metadata?.['sluice'] === activation)
      assert.ok(promised.has(by), `${name} is of ${by}, which was never promised`);
  }
  return manifests;
}

async function manifestsOf(container: TestContainer, activation: string): Promise<Manifest[]> {
  const prefix = `_sluice/${activation}/`;
  const read = async (name: string): Promise<Manifest> =>
    JSON.parse((await container.download(name)).toString()) as Manifest;
  const names = (await container.list()).filter(name => name.startsWith(prefix));
  const own = names.filter(name => name !== `${prefix}latest.json`);
  const manifests = await Promise.all(own.map(read));
  manifests.sort((a, b) => a.generation - b.generation);
  const latest = await read(`${prefix}latest.json`);
  assert.equal(latest.run, manifests.at(-1)?.run, `${activation}: latest.json is not of the last generation`);
  return manifests;
}

function sorted(rows: ReadonlyMap<number, string>): [number, string][] {
  return [...rows].sort(([a], [b]) => a - b);
}
