import assert from 'node:assert/strict';
import test from 'node:test';
import { SluiceError } from '../../src/errors.ts';
import type { ProtocolParts } from '../../src/publish/protocol.ts';
import type { RunProgress } from '../../src/run/run-progress.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { withExporter } from '../support/exporter.ts';

const TABLE = `create table t (id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 10) i`;
const DELTA = { runType: 'full_then_delta', syncMode: 'upsert', warnings: { removedRowsOver: '10%' } };

/** The storage does not answer once the gates are passed. */
const FAILING: readonly (readonly [when: string, intercept: (parts: ProtocolParts) => ProtocolParts])[] = [
  ['before the decision', parts => ({ ...parts, store: storeWith(parts.store, { head: unanswered }) })],
  [
    'after the decision',
    parts => ({ ...parts, store: storeWith(parts.store, { commitBlocks: unanswered }) }),
  ],
];

async function unanswered(): Promise<never> {
  throw new SluiceError('DESTINATION_TIMEOUT', 'there is no answer');
}

for (const [when, intercept] of FAILING) {
  test(`a run that fails ${when} says to its end whether it is decided`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      let look: (() => RunProgress) | undefined;
      const observe = (progress: () => RunProgress): void => {
        look = progress;
      };
      const { record } = await exporter.run(exporter.activation(DELTA), { intercept, observe });
      assert.equal(record.state, 'failed');
      assert.equal(look?.().phase, when === 'after the decision' ? 'publishing' : 'reading');
    }));

  test(`a run that fails ${when} keeps the warnings of what the gates have let pass`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      const activation = exporter.activation(DELTA);
      await exporter.run(activation);
      await exporter.database.sql(`delete from t where id > 5; insert into t values (11, 'n11')`);
      const { record } = await exporter.run(activation, { allowRemovals: true, intercept });
      assert.deepEqual([record.state, record.error?.code], ['failed', 'DESTINATION_TIMEOUT']);
      assert.deepEqual(
        record.warnings.map(({ code }) => code),
        ['REMOVALS_OVER'],
      );
      assert.equal(record.counts.removed, 5);
    }));
}

test('a run that is asked for again once it has succeeded is not made again, and its record is the result', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation(DELTA);
    const { record: first } = await exporter.run(activation);
    const { record, error } = await exporter.run(activation, { record: { ...first, state: 'queued' } });
    assert.equal(error, undefined);
    assert.deepEqual(record, first);
  }));
