/**
 * Consumers that take away, move and archive what was published, between runs of which
 * some are killed: no row is lost to them, and none comes twice.
 */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Random } from '../simulation/random.ts';
import { everyNth } from '../support/all-cases.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';
import { type CheckedExport, type Settings, withCheckedExport } from './checked-export.ts';
import { ChildRuns } from './child-runs.ts';
import { interceptSteps } from './protocol-steps.ts';

let children: ChildRuns;
before(async () => {
  children = await ChildRuns.open();
});
after(() => children.close());

const DELTA = { runType: 'full_then_delta' };
const IN_TURN: [string, Settings][] = [
  ['upsert in parts under a fixed name', { ...DELTA, syncMode: 'upsert', fileName: 'fixed', maxFileRows: 2 }],
  ['full_only in parts under a fixed name', { fileName: 'fixed', maxFileRows: 4 }],
  ['difference under fixed names', { ...DELTA, syncMode: 'difference', fileName: 'fixed' }],
  ['insert under a name for each run', { ...DELTA, syncMode: 'insert', maxFileRows: 1 }],
];

/** What a manifest names is read, and then goes: deleted, or moved to another name. */
async function takeSome({ container, oracle }: CheckedExport, random: Random): Promise<number> {
  await oracle.capture();
  const published = new Set(oracle.generations.map(({ run }) => run));
  let taken = 0;
  for (const { name, metadata } of await container.describe()) {
    if (!published.has(metadata?.['run'] ?? '') || name.startsWith('read/') || random.chance(0.5)) continue;
    if (random.chance(0.3)) await copy(container, name);
    await container.client.deleteBlob(name);
    taken++;
  }
  return taken;
}

async function copy({ client }: CheckedExport['container'], name: string): Promise<void> {
  const there = client.getBlobClient(name);
  const { metadata = {} } = await there.getProperties();
  const bytes = await there.downloadToBuffer();
  await client.getBlockBlobClient(`read/${name}`).upload(bytes, bytes.length, { metadata });
}

/**
 * Whether the run found a file gone that the killed one was to replace: the killed one is
 * dropped then, and the next makes the same changes.
 */
async function settle(subject: CheckedExport): Promise<boolean> {
  const { record } = await subject.run();
  if (record.state !== 'succeeded') {
    assert.match(
      record.error?.message ?? '',
      /was taken away before|blocks that were staged for it are gone/,
    );
    assert.equal(record.error?.retryable, true, 'it is worth another try');
    await subject.succeed();
    return true;
  }
  await subject.oracle.checkSettled(record.run);
  return false;
}

for (const [what, settings] of everyNth(4, IN_TURN)) {
  test(`consumers take files away between runs that are killed, and have each change once (${what})`, async t => {
    await withCheckedExport({ settings }, async subject => {
      const random = new Random(4);
      await subject.succeed();
      await subject.source.change(random);
      const steps = await subject.steps();
      let killed = 0;
      let taken = 0;
      let dropped = 0;
      for (const step of everyNth(12, steps)) {
        taken += await takeSome(subject, random);
        await subject.source.change(random);
        const { done } = await subject.runChild(children, { step, moment: 'before' });
        if (done === undefined) killed++;
        taken += await takeSome(subject, random);
        if (await settle(subject)) dropped++;
      }
      await subject.expectNoChange();
      t.diagnostic(`${killed} runs killed, ${dropped} dropped later, ${taken} files taken away`);
      assert.ok(killed > 0 && taken > 0);
    });
  });
}

const APPENDING: [string, Settings][] = [
  ['parts, without manifests', { maxFileRows: 3, manifest: false }],
  ['parts', { maxFileRows: 3 }],
  ['compressed parts with an end', { maxFileRows: 3, format: { type: 'json', compression: 'gzip' } }],
];

/** A file that runs append to, and whoever takes parts of it away. */
class ConsumedFile {
  last = 0;
  takenAway = 0;
  readonly activation;
  readonly #exporter: Exporter;
  readonly #settings: Settings;
  readonly #random = new Random(5);
  /** Runs that are known to be published. */
  readonly #published = new Set<string>();
  /** The ids of what was taken away, and of what is archived, by name. */
  readonly #taken: number[] = [];
  readonly #archived = new Map<string, readonly number[]>();

  constructor(exporter: Exporter, settings: Settings) {
    this.#exporter = exporter;
    this.#settings = { ...DELTA, syncMode: 'insert', ifExists: 'append', fileName: 'log', ...settings };
    this.activation = exporter.activation(this.#settings);
  }

  async addRows(): Promise<void> {
    const from = this.last + 1;
    this.last += 2 + this.#random.below(4);
    await this.#exporter.database.sql(`insert into t select generate_series(${from}, ${this.last})`);
  }

  /** A run that must succeed; gives its steps. */
  async succeed(): Promise<string[]> {
    const steps: string[] = [];
    const { record, recovered, error } = await this.#exporter.run(this.activation, {
      intercept: parts =>
        interceptSteps(parts, (step, moment) => {
          if (moment === 'before') steps.push(step);
        }),
    });
    assert.equal(record.state, 'succeeded', String(error));
    for (const { run } of [record, ...recovered]) this.#published.add(run);
    const expected = Array.from({ length: this.last }, (_, index) => index + 1);
    assert.deepEqual(await this.ids(), expected, 'each row is there once');
    return steps;
  }

  /** A run that is killed before the step; whether it came there. */
  async kill(step: string): Promise<boolean> {
    const { connectionString, container } = this.#exporter.container;
    const config = {
      version: 1,
      dataDirectory: this.#exporter.dataDirectory,
      sources: { db: { type: 'postgres', url: this.#exporter.database.url } },
      destinations: { lake: { type: 'azure-blob', container, auth: { connectionString } } },
      models: { m: { source: 'db', sql: 'select * from t', primaryKey: ['id'] } },
      activations: {
        exported: { model: 'm', destination: 'lake', format: { type: 'csv' }, ...this.#settings },
      },
    };
    const kill = { step, moment: 'before' as const };
    const { done } = await children.run({ config: JSON.stringify(config), activation: 'exported', kill });
    if (done?.record.state === 'succeeded') this.#published.add(done.record.run);
    const ids = await this.ids();
    assert.equal(new Set(ids).size, ids.length, `a row is there twice after ${step}`);
    return done === undefined;
  }

  /** What consumers have, and what is there for them, in order. */
  async ids(): Promise<number[]> {
    const ids = [...this.#taken, ...[...this.#archived.values()].flat()];
    for (const name of await this.#exporter.files())
      if (!this.#archived.has(name)) ids.push(...(await this.#idsIn(name)));
    return ids.sort((a, b) => a - b);
  }

  /** Not all of it: a file of which nothing is left has been reset. */
  async consume(): Promise<void> {
    const { container } = this.#exporter;
    await this.#learnPublished();
    const files = await this.#readable();
    for (const name of files) {
      const ids = await this.#idsIn(name);
      if (this.#random.chance(0.15)) {
        this.#archived.set(name, ids);
        await container.client.getBlockBlobClient(name).setAccessTier('Archive');
      } else if (this.#random.chance(0.6) && (await this.#exporter.files()).length > 1) {
        this.#taken.push(...ids);
        await container.client.deleteBlob(name);
        this.takenAway++;
      }
    }
  }

  /** Those that are whole: without manifests, what a run has written that is done. */
  async #readable(): Promise<string[]> {
    const blobs = await this.#exporter.container.describe();
    return blobs
      .filter(
        ({ name, metadata }) => !this.#archived.has(name) && this.#published.has(metadata?.['run'] ?? ''),
      )
      .map(({ name }) => name);
  }

  async #learnPublished(): Promise<void> {
    for (const name of await this.#exporter.container.list('_sluice/exported/'))
      this.#published.add(name.slice('_sluice/exported/'.length, -'.json'.length));
  }

  async #idsIn(name: string): Promise<number[]> {
    const bytes = await this.#exporter.container.download(name);
    if (name.endsWith('.gz'))
      return (JSON.parse(gunzipSync(bytes).toString()) as { id: number }[]).map(({ id }) => id);
    return bytes.toString().trimEnd().split('\n').slice(1).map(Number);
  }
}

for (const [what, settings] of everyNth(3, APPENDING)) {
  test(`consumers take and archive parts between runs that are killed while they append, and have each row once (${what})`, async t => {
    await withExporter(async exporter => {
      await exporter.database.sql('create table t (id int primary key)');
      const file = new ConsumedFile(exporter, settings);
      await file.addRows();
      await file.succeed();
      await file.addRows();
      const steps = await file.succeed();
      let killed = 0;
      for (const step of everyNth(8, steps)) {
        await file.consume();
        await file.addRows();
        if (await file.kill(step)) killed++;
        await file.consume();
        await file.addRows();
        await file.succeed();
      }
      t.diagnostic(`${killed} runs killed, ${file.takenAway} parts taken away`);
      assert.ok(killed > 0 && file.takenAway > 0);
    });
  });
}
