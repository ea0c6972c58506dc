import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
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

test('a process that is killed before or during any step leaves a folder that the next run fixes', async t => {
  const postgres = await getPostgres();
  const [database, folder] = await Promise.all([
    postgres.createDatabase(),
    mkdtemp(join(tmpdir(), 'sluice-folder-crash-')),
  ]);
  try {
    await database.sql('create table t (id int primary key, v int)');
    await database.sql('insert into t select i, 0 from generate_series(1, 6) i');
    const config = JSON.stringify({
      version: 1,
      dataDirectory: join(folder, 'data'),
      sources: { db: { type: 'postgres', url: database.url } },
      destinations: { here: { type: 'folder', path: folder } },
      models: { m: { source: 'db', sql: 'select id, v from t order by id', primaryKey: ['id'] } },
      activations: {
        [NAME]: {
          model: 'm',
          destination: 'here',
          fileName: 'out/{run}',
          format: { type: 'csv' },
          runType: 'full_then_delta',
          syncMode: 'difference',
          maxFileRows: 2,
        },
      },
    });
    const activation = resolveActivation(parseConfig({ text: config, environment: {} }).config, NAME);
    const change = (): Promise<unknown> =>
      database.sql(`update t set v = v + 1 where id % 2 = 0;
        delete from t where id = (select min(id) from t);
        insert into t select max(id) + 1, 0 from t`);
    const succeed = async (onStep: (step: string) => void = () => {}): Promise<void> => {
      const { record } = await exportRun({
        activation,
        trigger: 'command',
        signal: new AbortController().signal,
        intercept: parts =>
          interceptSteps(parts, (step, moment) => {
            if (moment === 'before') onStep(step);
          }),
      });
      assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
      const rows = await database.sql<{ id: number; v: number }>('select id, v from t order by id');
      assert.deepEqual(await replayed(folder), new Map(rows.map(({ id, v }) => [String(id), String(v)])));
    };
    await succeed();
    await change();
    const steps: string[] = [];
    await succeed(step => steps.push(step));
    const random = new Random(1);
    const ofStore = /^store\.(?:stageBlock|commitBlocks|putBlob|deleteBlob)/;
    const all = steps.flatMap((step): KillPoint[] => [
      { step, moment: 'before' },
      ...(ofStore.test(step) ? [{ step, moment: 'during', turns: random.below(20) } as const] : []),
    ]);
    const points = everyNth(4, all);
    let killed = 0;
    for (const kill of points) {
      await change();
      const { done } = await children.run({ config, activation: NAME, kill });
      if (done === undefined) killed++;
      await succeed();
    }
    t.diagnostic(`killed ${killed} of ${points.length} runs`);
    assert.ok(killed > points.length * 0.7, `only ${killed} of ${points.length} were killed`);
  } finally {
    await Promise.all([database.drop(), rm(folder, { recursive: true, force: true })]);
  }
});

/** The table that a consumer has who reads each manifest's files once, by generation. */
async function replayed(folder: string): Promise<Map<string, string>> {
  const kept = join(folder, '_sluice', NAME);
  const names = (await readdir(kept)).filter(name => name !== 'latest.json');
  const texts = await Promise.all(names.map(name => readFile(join(kept, name), 'utf8')));
  const manifests = texts.map(text => JSON.parse(text)).sort((a, b) => a.generation - b.generation);
  assert.deepEqual(
    manifests.map(({ generation }) => generation),
    manifests.map((_, index) => index + 1),
  );
  const table = new Map<string, string>();
  const published = new Set<string>();
  for (const { files } of manifests) {
    for (const { name, change } of files) {
      published.add(name);
      const [, ...lines] = (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
      for (const line of lines) {
        const [id = '', v = ''] = line.split(',');
        assert.equal(table.has(id), change !== 'added', `${change} ${id} in ${name}`);
        if (change === 'removed') table.delete(id);
        else table.set(id, v);
      }
    }
  }
  const there = (await readdir(join(folder, 'out'))).map(name => `out/${name}`);
  assert.deepEqual(there.sort(), [...published].sort(), 'no file is there that no manifest names');
  return table;
}
