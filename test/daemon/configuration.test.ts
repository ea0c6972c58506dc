import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/load.ts';
import { Configuration } from '../../src/daemon/configuration.ts';

/** A configuration with this section `daemon`, until it is given another. */
function configurationWith(daemon: object): { configuration: Configuration; change(to: object): void } {
  let section = daemon;
  const configuration = new Configuration(() =>
    parseConfig({ text: JSON.stringify({ version: 1, daemon: section }), environment: {} }),
  );
  return { configuration, change: to => (section = to) };
}

test('a reload tells which settings of the daemon are otherwise, and which of them wait for a restart', () => {
  const { configuration, change } = configurationWith({ port: 7000, tokens: { write: ['a'.repeat(16)] } });
  change({
    port: 7001,
    host: 'localhost',
    bodyLimit: '2MiB',
    concurrency: 5,
    history: { keepRuns: 5 },
    tokens: { write: ['b'.repeat(16)] },
    smtp: { host: 'mail.example', from: 'a@mail.example' },
  });
  const { settings, needsRestart } = configuration.reload();
  assert.deepEqual(settings, [
    'daemon.bodyLimit',
    'daemon.concurrency',
    'daemon.history',
    'daemon.host',
    'daemon.port',
    'daemon.smtp',
    'daemon.tokens',
  ]);
  assert.deepEqual(needsRestart, ['daemon.bodyLimit', 'daemon.host', 'daemon.port']);
  const again = configuration.reload();
  assert.deepEqual([again.settings, again.needsRestart], [[], []], 'nothing has changed since');
});
