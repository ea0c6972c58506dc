import assert from 'node:assert/strict';
import test from 'node:test';
import type { ProtocolParts } from '../../src/publish/protocol.ts';
import { AzureBlobStore } from '../../src/sinks/azure/azure-blob-store.ts';
import { Random } from '../simulation/random.ts';
import { everyNth } from '../support/all-cases.ts';
import { azureError, type BlobHook, type BlobRequest } from '../support/blob-proxy.ts';
import { BlobFaults, type FaultMode, isCommit } from './blob-faults.ts';
import { type CheckedExport, type Settings, withCheckedExport } from './checked-export.ts';

const SETTINGS = { runType: 'full_then_delta', syncMode: 'difference', maxFileRows: 2 };

const isStage = ({ method, comp }: BlobRequest): boolean => method === 'PUT' && comp === 'block';
const isRead = ({ method }: BlobRequest): boolean => method === 'GET' || method === 'HEAD';
const isFile = (request: BlobRequest): boolean => isCommit(request) && request.comp === 'blocklist';
const isManifest = (request: BlobRequest): boolean => isCommit(request) && request.comp === undefined;

const KINDS: [string, (request: BlobRequest) => boolean][] = [
  ['staging', isStage],
  ['committing', isFile],
  ['writing manifests', isManifest],
  ['looking up', isRead],
];
const MODES: FaultMode[] = ['503', '500 after apply', 'response lost', 'reset mid body'];

for (const mode of everyNth(2, MODES)) {
  test(`${mode}, once at each kind of request: the run succeeds and publishes everything once`, async t => {
    await withChanged(SETTINGS, async subject => {
      const random = new Random(1);
      for (const [kind, matches] of KINDS) {
        const faults = new BlobFaults(subject.rulesOrigin);
        let left = 2;
        subject.blobs.setHook(request =>
          matches(request) && left-- > 0 ? faults.put(mode, request) : undefined,
        );
        await subject.succeed();
        t.diagnostic(`${kind}: ${faults.counts[mode]} faults`);
        assert.ok(faults.counts[mode] > 0);
        await subject.source.change(random);
      }
      subject.blobs.setHook(undefined);
      await subject.succeed();
      await subject.expectNoChange();
    });
  });
}

test('503 with Retry-After at every request but the repeated ones: the run waits as it is asked, and succeeds', async () => {
  await withChanged(SETTINGS, async subject => {
    const seen = new Set<string>();
    subject.blobs.setHook(({ method, url }) => {
      if (seen.has(method + url)) return undefined;
      seen.add(method + url);
      return azureError(503, 'ServerBusy', { 'retry-after-ms': '10' });
    });
    await subject.succeed();
    subject.blobs.setHook(undefined);
    await subject.expectNoChange();
  });
});

test('500 at every commit: the run says that it is decided, and the next one finishes it', async () => {
  await withChanged(SETTINGS, async subject => {
    subject.blobs.setHook(request => (isFile(request) ? azureError(500, 'InternalError') : undefined));
    const { record } = await subject.run();
    assert.deepEqual(
      [record.state, record.error?.code, record.error?.retryable],
      ['failed', 'DESTINATION_TIMEOUT', true],
    );
    assert.match(record.error!.hint, /the next start finishes it/);
    await subject.oracle.checkVisible();
    subject.blobs.setHook(undefined);
    await finishes(subject, record.run);
  });
});

for (const [what, matches] of everyNth(3, KINDS)) {
  test(`no answer when ${what}: the run gives up when its time is over, and the next one is whole`, async () => {
    await withChanged(SETTINGS, async subject => {
      subject.blobs.setHook(request => (matches(request) ? 'black-hole' : undefined));
      // The start looks for the container through the store of the run itself, with its
      // long time out.
      const first = subject.blobs.requests.length;
      if (matches === isRead) {
        subject.blobs.setHook(request =>
          isRead(request) && subject.blobs.requests.length > first + 1 ? 'black-hole' : undefined,
        );
      }
      const { record } = await subject.run({ intercept: parts => impatient(parts, subject) });
      assert.equal(record.state, 'failed');
      assert.equal(record.error?.code, 'DESTINATION_TIMEOUT', record.error?.message);
      assert.equal(record.error.retryable, true);
      await subject.oracle.checkVisible();
      subject.blobs.setHook(undefined);
      await subject.succeed();
      await subject.expectNoChange();
    });
  });
}

test('a SAS that expires while rows stream: failed for its credentials, and nothing is published', async () => {
  await withChanged(SETTINGS, async subject => {
    const before = await subject.container.list();
    subject.blobs.setHook(fromThen(isStage, 2, () => azureError(403, 'AuthenticationFailed')));
    const { record } = await subject.run();
    assert.deepEqual([record.state, record.error?.code], ['failed', 'DESTINATION_CREDENTIALS']);
    assert.equal(record.error?.retryable, false);
    assert.deepEqual(await subject.container.list(), before);
    await subject.oracle.checkVisible();
    subject.blobs.setHook(undefined);
    const { recovered } = await subject.succeed({ sasToken: renewed(subject) });
    assert.equal(recovered.length, 0);
    await subject.expectNoChange();
  });
});

for (const [what, matches, at] of everyNth(2, [
  ['before the first commit', isFile, 1],
  ['between two commits', isFile, 3],
  ['before the manifest', isManifest, 1],
  ['before latest.json', isManifest, 2],
] as const)) {
  test(`a SAS that expires after the decision, ${what}: with a renewed one the next run finishes it first`, async () => {
    await withChanged(SETTINGS, async subject => {
      subject.blobs.setHook(fromThen(matches, at, () => azureError(403, 'AuthenticationFailed')));
      const { record } = await subject.run();
      assert.deepEqual([record.state, record.error?.code], ['failed', 'DESTINATION_CREDENTIALS']);
      await subject.oracle.checkVisible();
      const { record: again } = await subject.run();
      assert.equal(again.error?.code, 'DESTINATION_CREDENTIALS');
      subject.blobs.setHook(undefined);
      await subject.source.change(new Random(5));
      await finishes(subject, record.run, { sasToken: renewed(subject) });
    });
  });
}

const LATE = (
  [
    ['names of the run', SETTINGS],
    ['a fixed name', { ...SETTINGS, fileName: 'fixed' }],
    ['a fixed name, full_only', { fileName: 'fixed' }],
  ] as const
).flatMap(names =>
  (
    [
      ['a file', isFile, 1],
      ['RUN.json', isManifest, 1],
      ['latest.json', isManifest, 2],
    ] as const
  ).map(commit => [...names, ...commit] as const),
);
for (const [what, settings, kind, matches, at] of everyNth(4, LATE)) {
  test(`a commit of ${kind} that arrives after the next run changes nothing (${what})`, async () => {
    await withChanged(settings, async subject => {
      const faults = new BlobFaults(subject.rulesOrigin);
      let seen = 0;
      subject.blobs.setHook(request =>
        matches(request) && ++seen === at ? faults.put('delayed commit', request) : undefined,
      );
      // The answer does not come, so that the commit is sent again: that one arrives
      // first.
      await subject.succeed({ intercept: parts => impatient(parts, subject) });
      assert.equal(faults.counts['delayed commit'], 1);
      await subject.source.change(new Random(6));
      const { record } = await subject.succeed();
      const before = await contents(subject);
      await faults.deliverDelayed();
      assert.deepEqual(await contents(subject), before);
      await subject.oracle.checkSettled(record.run);
      await subject.expectNoChange();
    });
  });
}

// The first byte of a server without TLS is its answer to the question for it, after
// which the driver connects again.
for (const bytes of everyNth(2, [2, 200, 2_000])) {
  test(`a database that is cut off after ${bytes} bytes of a run: failed, nothing published, the next run is whole`, async () => {
    await withChanged(
      { ...SETTINGS, maxFileRows: 100 },
      async subject => {
        const before = await subject.container.list();
        subject.postgres.cutAfter(bytes);
        const { record } = await subject.run();
        assert.equal(record.state, 'failed');
        assert.match(record.error!.code, /^SOURCE_(?:CONNECTION_LOST|CONNECT_FAILED|INCOMPLETE)$/);
        assert.equal(record.error!.retryable, true);
        assert.deepEqual(await subject.container.list(), before);
        await subject.succeed();
        await subject.expectNoChange();
      },
      { rowCount: 400 },
    );
  });
}

test('a database that goes silent: failed when its time is over, nothing published, the next run is whole', async () => {
  await withChanged(
    SETTINGS,
    async subject => {
      const before = await subject.container.list();
      const { record } = await subject.run({
        onStep: (step, moment) => {
          if (step.startsWith('journal.create') && moment === 'before') subject.postgres.blackHole();
        },
      });
      assert.deepEqual([record.state, record.error?.code], ['failed', 'SOURCE_TIMEOUT']);
      assert.deepEqual(await subject.container.list(), before);
      subject.postgres.resume();
      await subject.succeed();
      await subject.expectNoChange();
    },
    { sourceSettings: { inactivityTimeout: '1s', connectTimeout: '5s' } },
  );
});

interface MoreOptions {
  readonly rowCount?: number;
  readonly sourceSettings?: Settings;
}

/** An export that has succeeded once, and changes since. */
async function withChanged(
  settings: Settings,
  act: (subject: CheckedExport) => Promise<void>,
  more: MoreOptions = {},
): Promise<void> {
  await withCheckedExport({ settings, ...more }, async subject => {
    await subject.succeed();
    await subject.source.change(new Random(4));
    await act(subject);
  });
}

/** The next run finishes the one that was decided, and exports what has changed since. */
async function finishes(subject: CheckedExport, run: string, request = {}): Promise<void> {
  const { recovered } = await subject.succeed(request);
  assert.deepEqual(
    recovered.map(record => record.run),
    [run],
  );
  await subject.expectNoChange();
}

function renewed({ container }: CheckedExport): string {
  return container.sas('racwdl', new Date(Date.now() + 7_200_000));
}

/** Every request is answered so, from the n-th that matches on. */
function fromThen(matches: (request: BlobRequest) => boolean, n: number, answer: BlobHook): BlobHook {
  let seen = 0;
  return request => {
    if (matches(request)) seen++;
    return seen >= n ? answer(request) : undefined;
  };
}

/** With a store that waits half a second for an answer, and two for a success. */
function impatient(parts: ProtocolParts, subject: CheckedExport): ProtocolParts {
  const { destination } = subject.activation();
  assert.ok(destination.type === 'azure-blob');
  const store = new AzureBlobStore({ ...destination, requestTimeoutMs: 500, retryBudgetMs: 1000 });
  return { ...parts, store };
}

async function contents({ container }: CheckedExport): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const name of await container.list()) all.set(name, (await container.download(name)).toString());
  return all;
}
