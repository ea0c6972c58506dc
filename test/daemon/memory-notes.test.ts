import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../src/config/load.ts';
import { serveDaemon } from '../../src/daemon/serve-daemon.ts';

test('the daemon warns of memory limits that do not add up, at its start and after a reload, unless that is ignored', async t => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'sluice-memory-'));
  t.after(() => rm(dataDirectory, { recursive: true }));
  let settings: object = { daemon: { port: 0, runMemory: '4000TiB' } };
  const lines: { level: string; code?: string; message: string }[] = [];
  const serving = await serveDaemon({
    load: () =>
      parseConfig({ text: JSON.stringify({ version: 1, dataDirectory, ...settings }), environment: {} }),
    log: { format: 'json', destination: { write: line => void lines.push(JSON.parse(line)) } },
  });
  t.after(() => serving.stop({ gracePeriodMs: 0 }));
  const warned = (): string[] =>
    lines.splice(0).flatMap(({ level, code, message }) => (level === 'warn' ? `${code} ${message}` : []));
  const [first, ...others] = warned();
  assert.match(
    first ?? '',
    /^MEMORY_EXCEEDED .*at a time of \d+ MiB each, beside .* are more than the \d+ MiB that .* has.*; lower daemon\.concurrency/,
  );
  assert.deepEqual(others, []);
  await serving.reload();
  assert.deepEqual(warned(), [first]);
  settings = { ...settings, notes: { ignore: ['MEMORY_EXCEEDED'] } };
  await serving.reload();
  settings = { daemon: { port: 0, runMemory: '64MiB', concurrency: 1 } };
  await serving.reload();
  assert.deepEqual(warned(), []);
});
