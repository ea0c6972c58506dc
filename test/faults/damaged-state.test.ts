import assert from 'node:assert/strict';
import {
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { resetState } from '../../src/state/reset-state.ts';
import { Random } from '../simulation/random.ts';
import { everyNth, someOf } from '../support/all-cases.ts';
import { type CheckedExport, withCheckedExport } from './checked-export.ts';

const SETTINGS = { runType: 'full_then_delta', syncMode: 'difference' };
const ROWS = 2000;

/** Each is given the names of the files of the baseline's folder. */
const DAMAGES: [string, (folder: string, names: string[]) => void][] = [
  ['CURRENT is gone', folder => rmSync(join(folder, 'CURRENT'))],
  ['CURRENT is empty', folder => truncateSync(join(folder, 'CURRENT'), 0)],
  [
    'CURRENT names a file that is not there',
    folder => writeFileSync(join(folder, 'CURRENT'), 'MANIFEST-999999\n'),
  ],
  ['the manifest of LevelDB is gone', (folder, names) => rmSync(join(folder, find(names, /^MANIFEST/)))],
  [
    'the manifest of LevelDB is cut short',
    (folder, names) => truncateSync(join(folder, find(names, /^MANIFEST/)), 20),
  ],
  [
    'the manifest of LevelDB has wrong bytes',
    (folder, names) => flip(join(folder, find(names, /^MANIFEST/)), 10),
  ],
  ['a table file is gone', (folder, names) => rmSync(join(folder, find(names, /\.ldb$/)))],
  ['a table file is cut short', (folder, names) => truncateSync(join(folder, find(names, /\.ldb$/)), 1000)],
  ['a table file is empty', (folder, names) => truncateSync(join(folder, find(names, /\.ldb$/)), 0)],
  ['a table file has wrong bytes', (folder, names) => flip(join(folder, find(names, /\.ldb$/)), 700)],
  ['the files are of another time', folder => mixTimes(folder)],
];

for (const [what, damage] of everyNth(3, DAMAGES)) {
  test(`${what}: the run says so and publishes nothing, and a full run fixes it`, async t => {
    await withCheckedExport({ settings: SETTINGS, rowCount: ROWS }, async subject => {
      const folder = join(subject.oracle.folder, 'baseline');
      await subject.succeed();
      await subject.source.change(new Random(1));
      await subject.succeed();
      damage(folder, readdirSync(folder));
      await subject.source.change(new Random(2));
      const before = await subject.container.list();
      const { record } = await subject.run();
      t.diagnostic(`${record.state} ${record.error?.code}: ${record.error?.message}`);
      assert.equal(record.state, 'failed', `the run is ${record.state}, full ${record.full}`);
      assert.match(record.error!.code, /^STATE_/);
      assert.match(record.error!.hint, /--full/);
      assert.deepEqual(await subject.container.list(), before);
      await subject.succeed({ full: true });
      await subject.expectNoChange();
    });
  });
}

test('wrong bytes anywhere in the tables never go unnoticed', async t => {
  await withCheckedExport({ settings: SETTINGS, rowCount: ROWS }, async subject => {
    await subject.succeed();
    const folder = join(subject.oracle.folder, 'baseline');
    const random = new Random(3);
    let noticed = 0;
    const ROUNDS = someOf(30);
    for (let round = 0; round < ROUNDS; round++) {
      const files = readdirSync(folder).filter(name => /\.ldb$/.test(name));
      if (files.length === 0) break;
      const path = join(folder, random.pick(files));
      flip(path, random.below(readFileSync(path).length));
      await subject.source.change(random);
      const { record } = await subject.run();
      if (record.state === 'failed') {
        assert.match(record.error!.code, /^STATE_/, record.error!.message);
        noticed++;
        await subject.succeed({ full: true });
      } else await subject.oracle.checkSettled(record.run);
    }
    t.diagnostic(`${noticed} of ${ROUNDS} noticed, the others did no harm`);
  });
});

test('without its data directory a run is held, and a full one goes on from there', () =>
  withCheckedExport({ settings: SETTINGS }, async subject => {
    await subject.succeed();
    await subject.source.change(new Random(1));
    rmSync(join(subject.dataDirectory, 'activations'), { recursive: true });
    const { record: held } = await subject.run();
    assert.deepEqual([held.state, held.reason], ['held', 'STATE_LOST']);
    const { record } = await subject.succeed({ full: true });
    assert.deepEqual([record.full, record.generation], [true, 2]);
    await subject.expectNoChange();
  }));

test('a data directory that cannot be used fails the run', () =>
  withCheckedExport({ settings: SETTINGS }, async subject => {
    await subject.succeed();
    const { activations, before } = {
      activations: join(subject.dataDirectory, 'activations'),
      before: await subject.container.list(),
    };
    rmSync(activations, { recursive: true });
    writeFileSync(activations, 'a file where a folder is needed');
    const { record } = await subject.run();
    assert.equal(record.error?.code, 'STATE_INACCESSIBLE');
    assert.match(record.error.hint, /activations is a file and no folder/);
    assert.deepEqual(await subject.container.list(), before);
  }));

for (const [what, damage] of [
  ['is cut short', (path: string) => truncateSync(path, 30)],
  ['has a wrong byte', (path: string) => flip(path, 40)],
  ['is gone', (path: string) => rmSync(path)],
] as const) {
  test(`a delta log that ${what} after its run was published: said so, and a full run fixes it`, async () => {
    await withCheckedExport({ settings: SETTINGS }, async subject => {
      await subject.succeed();
      await subject.source.change(new Random(1));
      const { record } = await interrupted(subject);
      damage(join(subject.oracle.folder, 'runs', record.run, 'delta.log'));
      const { record: next } = await subject.run();
      assert.equal(next.error?.code, 'STATE_DAMAGED', next.error?.message);
      await subject.succeed({ full: true });
      await subject.expectNoChange();
    });
  });
}

test('a decision that cannot be read stops full runs too, until somebody gives it up', async () => {
  await withCheckedExport({ settings: SETTINGS }, async subject => {
    await subject.succeed();
    await subject.source.change(new Random(1));
    const { record } = await interrupted(subject);
    flip(join(subject.oracle.folder, 'runs', record.run, 'commit.json'), 300);
    const before = await subject.container.list();
    for (const full of [false, true]) {
      const { record: next } = await subject.run({ full });
      assert.equal(next.error?.code, 'STATE_DAMAGED');
      assert.match(next.error.message, new RegExp(`commit.json .*${record.run}`));
      assert.match(next.error.hint, /`sluice state reset NAME --abandon`/);
    }
    assert.deepEqual(await subject.container.list(), before);
    const activation = subject.activation();
    await assert.rejects(resetState({ activation, abandonDecided: false }), { code: 'STATE_STALE' });
    const { abandoned, left } = await resetState({ activation, abandonDecided: true });
    assert.deepEqual([abandoned, left?.[0]?.isLatest], [[record.run], true]);
    const { record: behind } = await subject.run();
    assert.equal(behind.error?.code, 'STATE_STALE', 'the destination is ahead of the baseline that is kept');
    const { record: full } = await subject.succeed({ full: true });
    assert.deepEqual([full.full, full.generation], [true, 3]);
    await subject.expectNoChange();
  });
});

test('a decision that is no JSON: said so, and nothing is published', async () => {
  await withCheckedExport({ settings: SETTINGS }, async subject => {
    await subject.succeed();
    await subject.source.change(new Random(1));
    const { record } = await interrupted(subject);
    const path = join(subject.oracle.folder, 'runs', record.run, 'commit.json');
    copyFileSync(path, join(subject.dataDirectory, 'kept'));
    truncateSync(path, 100);
    const { record: next } = await subject.run();
    assert.equal(next.error?.code, 'STATE_DAMAGED');
    copyFileSync(join(subject.dataDirectory, 'kept'), path);
    const { recovered } = await subject.succeed();
    assert.equal(recovered.length, 1);
  });
});

/** A run that is published and whose baseline is not yet. */
function interrupted(subject: CheckedExport) {
  return subject.run({
    onStep: (step, moment) => {
      if (step.startsWith('baseline.apply') && moment === 'before')
        throw new Error('interrupted by the test');
    },
  });
}

function find(names: readonly string[], pattern: RegExp): string {
  const found = names.find(name => pattern.test(name));
  assert.ok(found, `no ${pattern} among ${names.join()}`);
  return found;
}

function flip(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0]! ^= 0x55;
  writeSync(file, byte, 0, 1, at);
}

/** Swaps the contents of two tables. */
function mixTimes(folder: string): void {
  const tables = readdirSync(folder).filter(name => /\.ldb$/.test(name));
  const [first, second] = [tables[0]!, tables.at(-1)!].map(name => join(folder, name));
  if (first === second) {
    truncateSync(first!, 500);
    return;
  }
  const contents = readFileSync(first!);
  copyFileSync(second!, first!);
  writeFileSync(second!, contents);
}
