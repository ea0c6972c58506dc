import assert from 'node:assert/strict';
import test from 'node:test';
import { SluiceError } from '../../src/errors.ts';
import { ended, make, request, untilState, withWorld } from './support.ts';

const DELTA = { runType: 'full_then_delta', syncMode: 'difference' };
/** Rows come one a second: the run is under way until it is told to stop. */
const SLOW = {
  sql: 'select id, name, pg_sleep(1)::text as pause from t, generate_series(1, 1000) g',
  mapping: ['id', 'name'],
};

test('makes a run in a process of its own, and keeps its record', () =>
  withWorld({}, async world => {
    const daemon = await world.start();
    const { record, isNew } = await daemon.trigger(request('one'));
    assert.equal(isNew, true);
    assert.equal(record.state, 'queued');
    const done = await ended(daemon, record.run);
    assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
    assert.equal(done.run, record.run);
    assert.equal(done.trigger, 'http');
    assert.equal(done.attempt, 1);
    assert.equal(done.counts.written, 3);
    assert.deepEqual(await world.rows('one.csv'), ['1,name 1', '2,name 2', '3,name 3']);
    assert.deepEqual(await daemon.run(record.run), done);
  }));
