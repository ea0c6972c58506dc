import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseConfig } from '../../src/config/load.ts';
import { type AuditEntry, AuditLog } from '../../src/daemon/api/audit-log.ts';
import { DocumentFolder } from '../../src/daemon/documents/document-folder.ts';
import { RunHistory } from '../../src/daemon/history/run-history.ts';
import type { Health } from '../../src/daemon/operations.ts';
import type { WriteWatch } from '../../src/daemon/parts.ts';
import { RequestLog } from '../../src/daemon/queue/request-log.ts';
import { serveDaemon } from '../../src/daemon/serve-daemon.ts';
import { WriteProblems } from '../../src/daemon/write-problems.ts';
import { historyFolder } from '../../src/disk/data-directory.ts';
import { fillDisk, mountSmallDisk } from '../support/small-disk.ts';
import { ManualClock } from './support/manual-clock.ts';
import { record } from './support/records.ts';

const NOW = '2026-06-01T00:00:00.000Z';
const AUDITED: AuditEntry = {
  time: NOW,
  request: 'r',
  remote: '127.0.0.1',
  operation: 'reload',
  method: 'POST',
  path: '/v1/reload',
  status: 200,
};

interface Writer {
  /** What a line about it says. */
  readonly says: RegExp;
  /** The folder that it writes to. */
  readonly folderOf: (dataDirectory: string) => string;
  /** Opens it, and gives what makes one write. */
  readonly open: (dataDirectory: string, watch: WriteWatch) => Promise<() => Promise<void>>;
}

const WRITERS: Readonly<Record<string, Writer>> = {
  'the queue': {
    says: /^the queue of the daemon cannot be written: E/,
    folderOf: dataDirectory => join(dataDirectory, 'daemon'),
    open: async (dataDirectory, watch) => {
      const log = await RequestLog.open(join(dataDirectory, 'daemon', 'queue.log'), watch);
      const queued = { record: record('queued') };
      // So many that the log is written again: a few would go to the file that is open.
      return async () => void (await Promise.all(Array.from({ length: 1_001 }, () => log.put(queued))));
    },
  },
  'the history': {
    says: /^the record of run \S+ cannot be written: E/,
    folderOf: dataDirectory => dirname(historyFolder(dataDirectory, 'a')),
    open: async (dataDirectory, watch) => {
      const history = await RunHistory.open(dataDirectory, { watch });
      return () => history.keep(record('failed'));
    },
  },
  'a document': {
    says: /^the data directory cannot be written: E/,
    folderOf: dataDirectory => join(dataDirectory, 'daemon'),
    open: async (dataDirectory, watch) => {
      const documents = new DocumentFolder(join(dataDirectory, 'daemon'), watch);
      return () => documents.write('notifications', []);
    },
  },
  'the audit log': {
    says: /^the audit log cannot be written: E/,
    folderOf: dataDirectory => join(dataDirectory, 'daemon'),
    open: async (dataDirectory, watch) => {
      const path = join(dataDirectory, 'daemon', 'audit.ndjson');
      const audit = new AuditLog({ path, toJson: JSON.stringify, lookEveryMs: 0, watch });
      return async () => audit.append(AUDITED);
    },
  },
};

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-writes-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

for (const [name, { says, folderOf, open }] of Object.entries(WRITERS)) {
  test(`that ${name} cannot be written is a problem until it is written again`, async t => {
    const dataDirectory = await folderFor(t);
    const folder = folderOf(dataDirectory);
    await mkdir(folder, { recursive: true });
    const problems = new WriteProblems(new ManualClock(NOW));
    const write = await open(dataDirectory, problems);
    await write();
    assert.deepEqual(problems.lines, []);

    await rename(folder, `${folder}.aside`);
    await writeFile(folder, '');
    for (let times = 0; times < 2; times++) {
      await assert.rejects(write());
      const [line = '', ...others] = problems.lines;
      assert.match(line, says);
      assert.ok(line.includes(folder), line);
      assert.ok(line.endsWith(`, since ${NOW}; free disk space or fix the data directory`), line);
      assert.deepEqual(others, []);
    }
    await problems.lookAgain();
    assert.equal(problems.lines.length, 1, 'a look fixes nothing');

    await rm(folder);
    await rename(`${folder}.aside`, folder);
    await write();
    assert.deepEqual(problems.lines, []);
  });

  test(`that ${name} could be written again is found out where nothing is to be written`, async t => {
    const dataDirectory = await folderFor(t);
    const folder = folderOf(dataDirectory);
    await mkdir(folder, { recursive: true });
    const problems = new WriteProblems(new ManualClock(NOW));
    const write = await open(dataDirectory, problems);
    await rename(folder, `${folder}.aside`);
    await writeFile(folder, '');
    await assert.rejects(write());
    await rm(folder);
    await rename(`${folder}.aside`, folder);
    await problems.lookAgain();
    assert.deepEqual(problems.lines, []);
  });
}

test('a full disk is told by a daemon that goes on, and no more when there is room', async t => {
  const disk = mountSmallDisk(2 * 1024 ** 2);
  if (disk === undefined) return t.skip('mounting a tmpfs is not permitted here: run as root');
  const clock = new ManualClock(NOW);
  const config = {
    version: 1,
    dataDirectory: disk.path,
    sources: { db: { type: 'postgres', url: 'postgres://nobody@127.0.0.1:1/none' } },
    destinations: {
      lake: {
        type: 'azure-blob',
        container: 'none',
        auth: { connectionString: 'UseDevelopmentStorage=true' },
      },
    },
    models: { m: { source: 'db', sql: 'select 1 as id', primaryKey: ['id'] } },
    activations: { one: { model: 'm', destination: 'lake', fileName: 'one', format: { type: 'csv' } } },
    daemon: { port: 0 },
  };
  const serving = await serveDaemon({
    load: () => parseConfig({ text: JSON.stringify(config), environment: {} }),
    log: { format: 'json', destination: { write: () => {} } },
    clock,
  });
  const post = (path: string) => fetch(`${serving.url}${path}`, { method: 'POST' });
  const readiness = async () => {
    const answer = await fetch(`${serving.url}/readyz`);
    return { status: answer.status, problems: ((await answer.json()) as Health).problems };
  };
  try {
    const filler = join(disk.path, 'filler');
    // Before any call is audited: a file of the log would still have room in its last
    // block.
    fillDisk(filler, 0);
    assert.equal((await post('/v1/activations/one/runs')).status, 503);
    assert.equal((await post('/v1/activations/one/pause')).status, 503);
    const { status, problems } = await readiness();
    assert.equal(status, 200, 'reads are served all the same');
    for (const what of [/^the queue of the daemon/, /^the data directory/, /^the audit log/])
      assert.ok(
        problems.some(line => what.test(line) && line.includes('ENOSPC')),
        `${what} is not among ${problems.join('\n')}`,
      );

    await clock.pass(60_000);
    assert.ok((await readiness()).problems.length >= 3, 'the disk is still full');
    await rm(filler);
    // Nobody asks for anything: the daemon looks by itself.
    const looked = clock.pass(60_000);
    while ((await readiness()).problems.length > 0) await looked;
  } finally {
    await serving.stop({ gracePeriodMs: 0 });
    disk.unmount();
  }
});
