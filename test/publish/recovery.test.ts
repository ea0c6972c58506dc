import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { ProtocolParts } from '../../src/publish/protocol.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const TABLE = `create table t (id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 5) i`;

/** A process that ends when it comes to its baseline. */
function dyingAtBaseline(parts: ProtocolParts): ProtocolParts {
  return {
    ...parts,
    baseline: {
      get state() {
        return parts.baseline.state;
      },
      compact: () => parts.baseline.compact(),
      apply: async () => {
        throw new Error('the process dies here');
      },
    },
  };
}

function historyOf({ dataDirectory }: Exporter): string {
  return join(dataDirectory, 'activations', 'exported', 'history');
}

for (const runType of ['full_then_delta', 'full_only']) {
  test(`without manifests a file that a consumer has taken away is not published again (${runType})`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      const activation = exporter.activation({
        manifest: false,
        fileName: '{run}',
        runType,
        syncMode: runType === 'full_only' ? 'snapshot' : 'upsert',
        onEmpty: 'skip',
      });
      const { record: first } = await exporter.run(activation, {
        intercept: parts =>
          runType === 'full_only'
            ? { ...parts, journal: { ...journalOf(parts), remove: dies } }
            : dyingAtBaseline(parts),
      });
      assert.equal(first.error?.code, runType === 'full_only' ? undefined : 'INTERNAL');
      const [name] = await exporter.files();
      assert.ok(name);
      await exporter.container.client.getBlobClient(name).delete();
      await exporter.database.sql('delete from t');
      const { record, recovered, error } = await exporter.run(activation, { allowRemovals: true });
      assert.deepEqual(
        recovered.map(({ run, state, files }) => [run, state, files.length]),
        [[first.run, 'recovered', 1]],
        String(error),
      );
      assert.equal(record.counts.written, 0);
      assert.deepEqual(await exporter.files(), []);
    }));
}

async function dies(): Promise<void> {
  const { SluiceError } = await import('../../src/errors.ts');
  throw new SluiceError('STATE_WRITE_FAILED', 'the process dies here');
}

function journalOf({ journal }: ProtocolParts): ProtocolParts['journal'] {
  return {
    list: () => journal.list(),
    create: run => journal.create(run),
    write: (run, document, content) => journal.write(run, document, content),
    read: (run, document) => journal.read(run, document),
    path: (run, file) => journal.path(run, file),
    remove: run => journal.remove(run),
  };
}

test('the record of a run is kept before its journal is removed, so that a crash never takes both', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({ runType: 'full_then_delta', syncMode: 'upsert' });
    const kept: boolean[] = [];
    const watched = (parts: ProtocolParts): ProtocolParts => ({
      ...parts,
      journal: {
        ...journalOf(parts),
        remove: async run => {
          kept.push(existsSync(join(historyOf(exporter), `${run}.json`)));
          await parts.journal.remove(run);
        },
      },
    });
    const { record } = await exporter.run(activation, { intercept: watched });
    await exporter.database.sql(`insert into t values (6, 'n6')`);
    const { record: dead } = await exporter.run(activation, { intercept: dyingAtBaseline });
    const { recovered } = await exporter.run(activation, { intercept: watched });
    assert.deepEqual(
      recovered.map(({ run }) => run),
      [dead.run],
    );
    assert.deepEqual(kept, [true, true, true]);
    const states = await Promise.all(
      [record.run, dead.run].map(async run => {
        const text = await readFile(join(historyOf(exporter), `${run}.json`), 'utf8');
        return (JSON.parse(text) as { state: string }).state;
      }),
    );
    assert.deepEqual(states, ['succeeded', 'recovered']);
    assert.ok((await readdir(historyOf(exporter))).every(name => name.endsWith('.json')));
  }));

test('a latest.json that arrives after somebody has deleted a later one is found out by the next run', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({
      runType: 'full_then_delta',
      syncMode: 'upsert',
      fileName: '{run}',
    });
    let late: Uint8Array | undefined;
    await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        store: storeWith(parts.store, {
          putBlob: async (name, bytes, options) => {
            if (name.endsWith('latest.json')) late = bytes;
            return parts.store.putBlob(name, bytes, options);
          },
        }),
      }),
    });
    await exporter.database.sql(`insert into t values (6, 'n6')`);
    assert.equal((await exporter.run(activation)).record.generation, 2);
    const latest = exporter.container.client.getBlockBlobClient('_sluice/exported/latest.json');
    const arrive = (): Promise<unknown> =>
      latest.upload(late!, late!.length, { conditions: { ifNoneMatch: '*' } });
    // Only the first latest.json of all was sent to where there was none, so only it can
    // come back, and only there.
    await assert.rejects(arrive(), { statusCode: 409 });
    await latest.delete();
    await arrive();
    const { record } = await exporter.run(activation);
    assert.equal(record.error?.code, 'DESTINATION_RESET');
    assert.match(record.error.message, /is at generation 1 .*local state is at generation 2/);
    const { record: full } = await exporter.run(activation, { full: true });
    assert.deepEqual([full.state, full.full, full.generation], ['succeeded', true, 3]);
  }));
