/**
 * Processes that are killed while they write partitions: who replays the manifests has
 * each row once, in its partition.
 */

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { Manifest } from '../../src/publish/manifest.ts';
import { exportRun } from '../../src/run/export-run.ts';
import { Random } from '../simulation/random.ts';
import { everyNth } from '../support/all-cases.ts';
import { getPostgres } from '../support/postgres.ts';
import { ChildRuns } from './child-runs.ts';
import type { KillPoint } from './crashing-run.ts';
import { interceptSteps } from './protocol-steps.ts';

const NAME = 'kept';

let children: ChildRuns;
before(async () => {
  children = await ChildRuns.open();
});
after(() => children.close());

test('a process that is killed at any step while rows move between partitions leaves what the next run fixes', async t => {
  const postgres = await getPostgres();
  const [database, folder] = await Promise.all([
    postgres.createDatabase(),
    mkdtemp(join(tmpdir(), 'sluice-partition-crash-')),
  ]);
  try {
    await database.sql('create table t (id int primary key, p int, v int)');
    await database.sql('insert into t select i, i % 3, 0 from generate_series(1, 8) i');
    const config = JSON.stringify({
      version: 1,
      dataDirectory: join(folder, 'data'),
      sources: { db: { type: 'postgres', url: database.url } },
      destinations: { here: { type: 'folder', path: folder } },
      models: { m: { source: 'db', sql: 'select id, p, v from t', primaryKey: ['id'] } },
      activations: {
        [NAME]: {
          model: 'm',
          destination: 'here',
          fileName: 'out/{run}',
          format: { type: 'csv' },
          runType: 'full_then_delta',
          syncMode: 'difference',
          partitionBy: ['p'],
          keepPartitionColumns: false,
          maxFileRows: 2,
        },
      },
    });
    const activation = resolveActivation(parseConfig({ text: config, environment: {} }).config, NAME);
    const change = (): Promise<unknown> =>
      database.sql(`update t set v = v + 1 where id % 2 = 0;
        update t set p = (p + 1) % 3 where id % 3 = 0;
        delete from t where id = (select min(id) from t);
        insert into t select max(id) + 1, 1, 0 from t`);
    const succeed = async (onStep: (step: string) => void = () => {}): Promise<number> => {
      const { record, recovered } = await exportRun({
        activation,
        trigger: 'command',
        signal: new AbortController().signal,
        intercept: parts =>
          interceptSteps(parts, (step, moment) => {
            if (moment === 'before') onStep(step);
          }),
      });
      assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
      const rows = await database.sql<{ id: number; p: number; v: number }>('select id, p, v from t');
      const wanted = new Map(rows.map(({ id, p, v }) => [`${p}/${id}`, String(v)]));
      assert.deepEqual(new Map([...(await replayed(folder))].sort()), new Map([...wanted].sort()));
      return recovered.length;
    };
    await succeed();
    await change();
    const steps: string[] = [];
    await succeed(step => steps.push(step));
    const random = new Random(1);
    const all = steps.flatMap((step): KillPoint[] => [
      { step, moment: 'before' },
      ...(step.startsWith('store.commitBlocks')
        ? [{ step, moment: 'during', turns: random.below(20) } as const]
        : []),
    ]);
    const points = everyNth(16, all);
    let killed = 0;
    let finished = 0;
    for (const kill of points) {
      await change();
      const { done } = await children.run({ config, activation: NAME, kill });
      if (done === undefined) killed++;
      finished += await succeed();
    }
    t.diagnostic(`killed ${killed} of ${points.length} runs, finished ${finished}`);
    assert.ok(killed > points.length * 0.7, `only ${killed} of ${points.length} were killed`);
    assert.ok(finished > 0);
  } finally {
    await Promise.all([database.drop(), rm(folder, { recursive: true, force: true })]);
  }
});

/**
 * What consumers have who keep each partition by itself and read each manifest's files
 * once.
 */
async function replayed(folder: string): Promise<Map<string, string>> {
  const kept = join(folder, '_sluice', NAME);
  const names = (await readdir(kept)).filter(name => name !== 'latest.json');
  const texts = await Promise.all(names.map(name => readFile(join(kept, name), 'utf8')));
  const manifests = texts.map(text => JSON.parse(text) as Manifest);
  manifests.sort((a, b) => a.generation - b.generation);
  assert.deepEqual(
    manifests.map(({ generation }) => generation),
    manifests.map((_, index) => index + 1),
  );
  const table = new Map<string, string>();
  const published = new Set<string>();
  for (const { files } of manifests) {
    for (const { name, change, partition } of files) {
      published.add(name);
      const [, ...lines] = (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
      for (const line of lines) {
        const [id = '', v = ''] = line.split(',');
        const key = `${partition!['p']}/${id}`;
        assert.equal(table.has(key), change !== 'added', `${change} ${id} in ${name}`);
        if (change === 'removed') table.delete(key);
        else table.set(key, v);
      }
    }
  }
  const there = (await readdir(join(folder, 'out'), { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1));
  assert.deepEqual(there.sort(), [...published].sort(), 'no file is there that no manifest names');
  return table;
}
