import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AuditEntry, AuditLog } from '../../../src/daemon/api/audit-log.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { Served } from './support/served.ts';

const READ = 'read-token-0123456789';
const WRITE = 'write-token-0123456789';

test('every call that changes something, and none that does not, is a line', async () => {
  const served = await Served.start({ read: [READ], write: ['other-token-0123456789', WRITE] });
  try {
    const client = await served.client(WRITE);
    const path = { name: 'customers' };
    const { run } = (await client.call<RunRecord>('triggerRun', { path })).body;
    await client.call('cancelRun', { path: { id: run } });
    await client.call('pauseActivation', { path, body: { reason: 'moving' } });
    await client.call('triggerRun', { path });
    await client.call('resumeActivation', { path });
    await client.call('triggerRun', { path, body: '{' });
    await client.call('reload');
    for (const id of client.operationIds) {
      if (
        [
          'getOpenApi',
          'getRun',
          'listRuns',
          'streamRunEvents',
          'listActivations',
          'getActivation',
          'validateActivation',
          'previewActivation',
          'getHealth',
          'getReadiness',
          'getMetrics',
        ].includes(id)
      ) {
        await client.call(id, { path: { ...path, id: run } });
      }
    }
    // What no token allows changes nothing.
    await client.as(READ).call('triggerRun', { path });
    await client.as('wrong-token-0123456789').call('triggerRun', { path });
    await client.as(undefined).call('reload');

    const lines = await served.audit();
    const target = '/v1/activations/customers';
    const seen = lines.map(({ operation, method, path, activation, run, status, code }) => [
      operation,
      method,
      path,
      activation,
      run,
      status,
      code,
    ]);
    assert.deepEqual(seen, [
      ['triggerRun', 'POST', `${target}/runs`, 'customers', run, 202, undefined],
      ['cancelRun', 'POST', `/v1/runs/${run}/cancel`, undefined, run, 200, undefined],
      ['pauseActivation', 'POST', `${target}/pause`, 'customers', undefined, 200, undefined],
      ['triggerRun', 'POST', `${target}/runs`, 'customers', undefined, 409, 'ACTIVATION_PAUSED'],
      ['resumeActivation', 'POST', `${target}/resume`, 'customers', undefined, 200, undefined],
      ['triggerRun', 'POST', `${target}/runs`, 'customers', undefined, 400, 'REQUEST_INVALID'],
      ['reload', 'POST', '/v1/reload', undefined, undefined, 200, undefined],
    ]);
    for (const line of lines) {
      assert.equal(line['token'], 'write 2');
      assert.match(String(line['fingerprint']), /^[0-9a-f]{8}$/);
      assert.equal(line['remote'], '127.0.0.1');
      assert.ok(Math.abs(Date.now() - Date.parse(String(line['time']))) < 60_000);
    }
    assert.equal(new Set(lines.map(line => line['fingerprint'])).size, 1);
    // The same lines are in the log, and no token is in either.
    const logged = served.lines.filter(({ level }) => level === 'info').map(({ fields }) => fields);
    const untimed = lines.map(({ time, ...line }) => line);
    assert.deepEqual(logged, untimed, 'the log has a time of its own');
    for (const token of [READ, WRITE]) assert.ok(!JSON.stringify([lines, served.lines]).includes(token));
    assert.equal((await stat(served.auditPath)).mode & 0o777, 0o600);
  } finally {
    await served.dispose();
  }
});

test('who was told of a change finds it in the audit log', async () => {
  const served = await Served.start();
  try {
    const client = await served.client();
    const calls = Array.from({ length: 50 }, async () => {
      const { headers } = await client.call('triggerRun', { path: { name: 'customers' } });
      const id = headers.get('x-request-id');
      const found = (await served.audit()).find(({ request }) => request === id);
      assert.equal(found?.['status'], 202);
      assert.equal(found['token'], undefined);
    });
    await Promise.all(calls);
  } finally {
    await served.dispose();
  }
});

test('an audit log that cannot be written is said to be, and keeps nobody from working', async () => {
  const served = await Served.start();
  try {
    const client = await served.client();
    await writeFile(join(served.auditPath, '..'), 'a file where the folder was to be');
    assert.equal((await client.call('triggerRun', { path: { name: 'customers' } })).status, 202);
    const errors = served.lines.filter(({ level }) => level === 'error');
    assert.deepEqual(
      errors.map(({ message }) => message),
      ['the audit log cannot be written'],
    );
    await rm(join(served.auditPath, '..'));
    assert.equal((await client.call('triggerRun', { path: { name: 'customers' } })).status, 202);
    assert.equal((await served.audit()).length, 1);
  } finally {
    await served.dispose();
  }
});

test('the audit log is bounded, keeps the newest lines, and goes on after a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  try {
    const path = join(folder, 'daemon', 'audit.ndjson');
    const open = (): AuditLog => new AuditLog({ path, toJson: JSON.stringify, maxBytes: 2000, keptFiles: 2 });
    const entry = (request: string): AuditEntry => ({
      time: '2025-04-14T07:00:00.000Z',
      request,
      remote: '127.0.0.1',
      operation: 'reload',
      method: 'POST',
      path: '/v1/reload',
      status: 200,
    });
    let log = open();
    for (let count = 1; count <= 100; count++) {
      log.append(entry(String(count)));
      if (count % 40 === 0) {
        log.close();
        log = open();
      }
    }
    for (let count = 101; count <= 105; count++) log.append(entry(String(count)));
    log.close();
    const names = (await readdir(join(folder, 'daemon'))).sort();
    assert.deepEqual(names, ['audit.ndjson', 'audit.ndjson.1', 'audit.ndjson.2']);
    const requests: number[] = [];
    for (const name of names.reverse()) {
      const file = join(folder, 'daemon', name);
      const { size, mode } = await stat(file);
      assert.ok(size <= 2000, `${name} has ${size} bytes`);
      assert.equal(mode & 0o777, 0o600);
      const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
      requests.push(...lines.map(line => Number((JSON.parse(line) as AuditEntry).request)));
    }
    assert.equal(requests.at(-1), 105);
    assert.deepEqual(
      requests,
      Array.from({ length: requests.length }, (_, index) => 106 - requests.length + index),
    );
    assert.ok(requests.length > 20);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a file that others may read is closed to them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  try {
    const path = join(folder, 'audit.ndjson');
    await writeFile(path, '', { mode: 0o644 });
    const log = new AuditLog({ path, toJson: JSON.stringify });
    log.append({ time: '', request: '', remote: '', operation: '', method: '', path: '', status: 200 });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a file that somebody has moved away is begun again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  const path = join(folder, 'audit.ndjson');
  const audit = new AuditLog({ path, toJson: JSON.stringify, lookEveryMs: 0 });
  const entry = (request: string): AuditEntry => ({
    time: '2026-01-01T00:00:00.000Z',
    request,
    remote: '127.0.0.1',
    operation: 'reload',
    method: 'POST',
    path: '/v1/reload',
    status: 200,
  });
  try {
    audit.append(entry('first'));
    await rename(path, `${path}.moved`);
    audit.append(entry('second'));
    assert.match(await readFile(path, 'utf8'), /^[^\n]*"second"[^\n]*\n$/);
    assert.match(await readFile(`${path}.moved`, 'utf8'), /^[^\n]*"first"[^\n]*\n$/);
  } finally {
    audit.close();
    await rm(folder, { recursive: true });
  }
});

test('a line that was cut short spoils none after it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  const path = join(folder, 'audit.ndjson');
  await writeFile(path, '{"request":"first"}\n{"reque');
  const audit = new AuditLog({ path, toJson: JSON.stringify });
  const entry = { time: '', remote: '', operation: '', method: '', path: '', status: 200 };
  try {
    await audit.append({ ...entry, request: 'second' });
    await audit.append({ ...entry, request: 'third' });
    const [first, cut, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n');
    assert.deepEqual([first, cut], ['{"request":"first"}', '{"reque']);
    assert.deepEqual(
      lines.map(line => (JSON.parse(line) as AuditEntry).request),
      ['second', 'third'],
    );
  } finally {
    await audit.close();
    await rm(folder, { recursive: true });
  }
});
