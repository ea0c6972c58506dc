import assert from 'node:assert/strict';
import test from 'node:test';
import { ended, make, request, withWorld } from '../support/daemon-world.ts';

const LEAST = {
  sql: 'select id, name from t where id >= :least',
  params: { least: { type: 'int' } },
  fileName: 'least-{param.least}',
};

test('runs are asked for with values, which survive a restart and belong to what a key is for', () =>
  withWorld({ activations: { one: LEAST } }, async world => {
    const first = await world.start();
    const asked = request('one', { idempotencyKey: 'monday', params: { least: '2' } });
    const { record } = await first.trigger(asked);
    assert.deepEqual(record.asked, { params: { least: '2' } });
    const done = await ended(first, record.run);
    assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
    assert.deepEqual(done.params, { least: '2' });
    assert.deepEqual(await world.rows('least-2.csv'), ['2,name 2', '3,name 3']);
    await first.stop();
    const second = await world.start();
    // The same value in another spelling is the same request.
    const again = await second.trigger({ ...asked, params: { least: '+02' } });
    assert.deepEqual([again.record.run, again.isNew], [record.run, false]);
    await assert.rejects(second.trigger({ ...asked, params: { least: '3' } }), {
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
  }));

test('wrong values are refused before anything is accepted', () =>
  withWorld({ activations: { one: LEAST } }, async world => {
    const daemon = await world.start();
    for (const params of [{}, { least: 'x' }, { least: '1', most: '2' }]) {
      await assert.rejects(daemon.trigger(request('one', { params })), { code: 'PARAMETER_INVALID' });
      await assert.rejects(daemon.plan({ activation: 'one', rows: 1, params }), {
        code: 'PARAMETER_INVALID',
      });
    }
    const { plan } = await daemon.plan({ activation: 'one', rows: 1, params: { least: '3' } });
    const signal = new AbortController().signal;
    const planned = await daemon.planned(plan, { timeoutMs: 120_000, signal });
    assert.equal(planned.result?.counts.read, 1, JSON.stringify(planned.error));
    assert.equal((await make(daemon, 'one', { params: { least: '3' } })).counts.read, 1);
  }));

test('a value that is a secret of the configuration is refused of a run, and of a plan', () => {
  const said = {
    sql: 'select id, name from t where name <> :text',
    params: { text: { type: 'text' } },
    fileName: '{run}',
  };
  return withWorld({ activations: { one: said } }, async world => {
    const daemon = await world.start();
    const refusal = { code: 'PARAMETER_INVALID', message: /the value of parameter text holds a secret/ };
    const params = { text: `so: ${world.container.accountKey}` };
    await assert.rejects(daemon.trigger(request('one', { params })), refusal);
    await assert.rejects(daemon.plan({ activation: 'one', rows: 1, params }), refusal);
  });
});
