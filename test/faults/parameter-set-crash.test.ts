/**
 * Processes that are killed while they export one set of parameter values: who replays
 * the manifests of each set has its rows once, also where a run of another set, or the
 * daemon, finishes what was decided.
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
import { recoverActivation } from '../../src/run/recover-activation.ts';
import { everyNth } from '../support/all-cases.ts';
import { getPostgres } from '../support/postgres.ts';
import { ChildRuns } from './child-runs.ts';
import type { KillPoint } from './crashing-run.ts';
import { interceptSteps } from './protocol-steps.ts';

const NAME = 'kept';
const SETS = ['0', '1'] as const;

let children: ChildRuns;
before(async () => {
  children = await ChildRuns.open();
});
after(() => children.close());

test('a process that is killed at any step of a run with one set of values leaves what a run with another one fixes', async t => {
  const postgres = await getPostgres();
  const [database, folder] = await Promise.all([
    postgres.createDatabase(),
    mkdtemp(join(tmpdir(), 'sluice-set-crash-')),
  ]);
  try {
    await database.sql('create table t (id int primary key, p int, v int)');
    await database.sql('insert into t select i, i % 2, 0 from generate_series(1, 8) i');
    const config = JSON.stringify({
      version: 1,
      dataDirectory: join(folder, 'data'),
      sources: { db: { type: 'postgres', url: database.url } },
      destinations: { here: { type: 'folder', path: folder } },
      models: {
        m: {
          source: 'db',
          sql: 'select id, v from t where p = :p',
          primaryKey: ['id'],
          params: { p: { type: 'int' } },
        },
      },
      activations: {
        [NAME]: {
          model: 'm',
          destination: 'here',
          fileName: 'out/{param.p}-{run}',
          format: { type: 'csv' },
          runType: 'full_then_delta',
          syncMode: 'difference',
        },
      },
    });
    const { signal } = new AbortController();
    const activation = resolveActivation(parseConfig({ text: config, environment: {} }).config, NAME);
    const change = (): Promise<unknown> =>
      database.sql(`update t set v = v + 1 where id % 2 = 0;
        update t set p = 1 - p where id % 3 = 0;
        delete from t where id = (select min(id) from t);
        insert into t select max(id) + 1, (max(id) + 1) % 2, 0 from t`);
    const succeed = async (p: string, onStep: (step: string) => void = () => {}): Promise<number> => {
      const { record, recovered } = await exportRun({
        activation,
        trigger: 'command',
        signal,
        params: { p },
        intercept: parts =>
          interceptSteps(parts, (step, moment) => {
            if (moment === 'before') onStep(step);
          }),
      });
      assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
      const rows = await database.sql<{ id: number; v: number }>(`select id, v from t where p = ${p}`);
      const wanted = rows.map(({ id, v }) => [String(id), String(v)] as const).sort();
      assert.deepEqual([...(await replayed(folder, p))].sort(), wanted);
      return recovered.length;
    };
    for (const p of SETS) await succeed(p);
    await change();
    const steps: string[] = [];
    await succeed('0', step => steps.push(step));
    await succeed('1');
    const all = steps.flatMap((step): KillPoint[] => [
      { step, moment: 'before' },
      { step, moment: 'after' },
    ]);
    // From the decision on there is something to finish.
    const decided = all.findIndex(({ step }) => step.startsWith('journal.write commit.json'));
    const points = [...everyNth(12, all.slice(0, decided)), ...everyNth(4, all.slice(decided))];
    let killed = 0;
    let finished = 0;
    for (const [index, kill] of points.entries()) {
      await change();
      const p = SETS[index % 2]!;
      const { done } = await children.run({ config, activation: NAME, params: { p }, kill });
      if (done === undefined) killed++;
      if (index % 3 === 0) finished += (await recoverActivation({ activation, signal })).length;
      finished += await succeed(p === '0' ? '1' : '0');
      finished += await succeed(p);
    }
    t.diagnostic(`killed ${killed} of ${points.length} runs, finished ${finished}`);
    assert.ok(killed > points.length * 0.7, `only ${killed} of ${points.length} were killed`);
    assert.ok(finished > 0);
  } finally {
    await Promise.all([database.drop(), rm(folder, { recursive: true, force: true })]);
  }
});

/** What consumers of these values have who read the files of each manifest once. */
async function replayed(folder: string, p: string): Promise<Map<string, string>> {
  const kept = join(folder, '_sluice', NAME);
  const names = (await readdir(kept)).filter(name => name.endsWith('.json') && name !== 'latest.json');
  const texts = await Promise.all(names.map(name => readFile(join(kept, name), 'utf8')));
  const manifests = texts
    .map(text => JSON.parse(text) as Manifest)
    .filter(({ params }) => params?.['p'] === p);
  manifests.sort((a, b) => a.generation - b.generation);
  assert.deepEqual(
    manifests.map(({ generation, set }) => [generation, set]),
    manifests.map((_, index) => [index + 1, manifests[0]!.set]),
  );
  const newest = await readFile(join(kept, 'sets', manifests[0]!.set!, 'latest.json'), 'utf8');
  assert.equal((JSON.parse(newest) as Manifest).run, manifests.at(-1)!.run);
  const table = new Map<string, string>();
  for (const { files } of manifests) {
    for (const { name, change } of files) {
      const [, ...lines] = (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
      for (const line of lines) {
        const [id = '', v = ''] = line.split(',');
        assert.equal(table.has(id), change !== 'added', `${change} ${id} in ${name}`);
        if (change === 'removed') table.delete(id);
        else table.set(id, v);
      }
    }
  }
  return table;
}
