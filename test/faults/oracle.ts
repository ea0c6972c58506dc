import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BlobItem } from '@azure/storage-blob';
import { Baseline } from '../../src/baseline/baseline.ts';
import type { Manifest } from '../../src/publish/manifest.ts';
import type { TestContainer } from '../support/azurite.ts';
import { expectedRows, type PublishedRow, readPublished } from './published-rows.ts';
import type { Rows, SourceHistory } from './source-history.ts';

/**
 * What must be true whatever happens, told from outside: from the blobs, from what the
 * source held, and from the data directory. It knows the format of manifests and nothing
 * of how the protocol works.
 */
export interface OracleSubject {
  readonly activation: string;
  readonly syncMode: string;
  readonly runType: string;
  readonly container: TestContainer;
  readonly source: SourceHistory;
  readonly dataDirectory: string;
  /** Texts that must not appear anywhere. */
  readonly secrets: readonly string[];
}

interface Generation {
  readonly manifest: Manifest;
  /** Rows of all files, with the change that the file's name promises. */
  readonly rows: readonly PublishedRow[];
}

export class Oracle {
  readonly #subject: OracleSubject;
  /** By run id, as they were when they had just become visible. */
  readonly #generations = new Map<string, Generation>();
  #folded = 0;
  /**
   * What a consumer has that applied every generation; of `insert`, all keys that ever
   * came.
   */
  #held: Rows = new Map();
  /** What the source held at the last generation. */
  #before: Rows = new Map();
  #latest = 0;

  constructor(subject: OracleSubject) {
    this.#subject = subject;
  }

  /** Generations that were published so far. */
  get generations(): readonly Manifest[] {
    return [...this.#generations.values()].map(({ manifest }) => manifest);
  }

  get folder(): string {
    return join(this.#subject.dataDirectory, 'activations', this.#subject.activation);
  }

  /**
   * Takes in what is visible. Files of fixed names are overwritten by the next run, so
   * this is to be called before each run, and by a run that has recovered another before
   * it goes on.
   */
  async capture(): Promise<void> {
    const { container, activation } = this.#subject;
    const prefix = `_sluice/${activation}/`;
    const names = await container.list(prefix);
    for (const name of names) {
      const run = name.slice(prefix.length, -'.json'.length);
      if (run === 'latest' || this.#generations.has(run)) continue;
      const manifest = JSON.parse((await container.download(name)).toString()) as Manifest;
      assert.equal(manifest.run, run, `${name} is of another run`);
      this.#generations.set(run, { manifest, rows: await readPublished(container, manifest) });
    }
    if (names.includes(`${prefix}latest.json`)) {
      const latest = JSON.parse((await container.download(`${prefix}latest.json`)).toString()) as Manifest;
      assert.ok(
        latest.generation >= this.#latest,
        `latest.json went back from ${this.#latest} to ${latest.generation}`,
      );
      assert.ok(
        this.#generations.has(latest.run),
        `latest.json names ${latest.run}, which has no manifest of its own`,
      );
      this.#latest = latest.generation;
    }
    this.#fold();
  }

  /** What holds at any moment, also when a process has just been killed. */
  async checkVisible(): Promise<void> {
    await this.#checkVisible();
  }

  /** Gives what there is, as it was looked at. */
  async #checkVisible(): Promise<readonly BlobItem[]> {
    await this.capture();
    const blobs = await this.#subject.container.describe();
    const visible = new Map<string, string>();
    for (const { name, metadata, properties } of blobs) {
      // Blobs that only have staged blocks are listed with a length of zero and no ETag
      // that a reader could use.
      if (name.startsWith('_sluice/') || metadata?.['run'] === undefined) continue;
      assert.ok(properties.etag, name);
      visible.set(name, metadata['run']);
    }
    for (const [name, run] of visible) {
      const published = this.#generations.has(run);
      const decided = existsSync(join(this.folder, 'runs', run, 'commit.json'));
      assert.ok(published || decided, `${name} of ${run} is visible, which is neither decided nor published`);
    }
    this.#checkSecrets();
    return blobs;
  }

  /**
   * What holds when a run has succeeded: the source is what a consumer has, and nothing
   * is left over.
   */
  async checkSettled(run: string): Promise<void> {
    const blobs = await this.#checkVisible();
    const { source, runType, syncMode } = this.#subject;
    const ordered = this.#ordered();
    const last = ordered.at(-1);
    assert.ok(
      last !== undefined && last.manifest.run === run,
      `${run} succeeded, and ${last?.manifest.run} is last`,
    );
    assert.equal(this.#latest, last.manifest.generation, 'latest.json is not of the last generation');
    if (syncMode === 'insert')
      for (const key of source.rows.keys()) assert.ok(this.#held.has(key), `key ${key} lost`);
    else
      assert.deepEqual(
        sorted(this.#held),
        sorted(source.rows),
        'a consumer does not have what the source has',
      );
    const known = new Set(this.generations.map(manifest => manifest.run));
    for (const { name, metadata } of blobs) {
      const by = metadata?.['run'];
      if (by !== undefined) assert.ok(known.has(by), `${name} of ${by} is left, which never was published`);
    }
    assert.deepEqual(readdirSync(join(this.folder, 'runs')), [], 'the journal is not empty after a success');
    if (runType === 'full_then_delta') await this.#checkBaseline(last.manifest);
  }

  /** Also looks at what is given: records, errors, output. */
  checkText(text: string, where: string): void {
    for (const secret of this.#subject.secrets) assert.ok(!text.includes(secret), `a secret is in ${where}`);
  }

  async #checkBaseline(last: Manifest): Promise<void> {
    const baseline = await Baseline.open(join(this.folder, 'baseline'));
    try {
      const { state } = baseline;
      assert.equal(state?.run, last.run, 'the baseline is of another run than the last generation');
      assert.equal(state.generation, last.generation);
      assert.equal(state.count, this.#held.size, 'the baseline counts other keys than a consumer has');
    } finally {
      await baseline.close();
    }
  }

  #checkSecrets(): void {
    for (const path of filesBelow(this.#subject.dataDirectory)) {
      try {
        this.checkText(readFileSync(path, 'latin1'), path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    for (const manifest of this.generations)
      this.checkText(JSON.stringify(manifest), `manifest of ${manifest.run}`);
  }

  #ordered(): Generation[] {
    return [...this.#generations.values()].sort((a, b) => a.manifest.generation - b.manifest.generation);
  }

  /** Applies what is new as a consumer would, and compares with what the run saw. */
  #fold(): void {
    const ordered = this.#ordered();
    for (const generation of ordered.slice(this.#folded)) this.#apply(generation);
    this.#folded = ordered.length;
  }

  #apply({ manifest, rows }: Generation): void {
    const { syncMode, runType, source } = this.#subject;
    const { run, generation, previousGeneration, full, counts } = manifest;
    const name = `generation ${generation} of ${run}`;
    assert.equal(generation, this.#folded + 1, `${name}: not the next one`);
    assert.equal(
      previousGeneration,
      generation - 1,
      `${name}: taken against another one than the one before`,
    );
    this.#folded = generation;
    const seen = source.at(run);
    const before = full ? new Map<number, string>() : syncMode === 'insert' ? this.#held : this.#before;
    const expected = expectedRows(before, seen, syncMode, full);
    // A full run says what is gone as far as it knows what was there.
    for (const { key, name: value, change } of full ? rows : [])
      if (change === 'removed' && !seen.has(key) && this.#before.get(key) === value)
        expected.set(key, `removed ${value}`);
    const actual = new Map<number, string>();
    for (const { key, name: value, change } of rows) {
      assert.ok(!actual.has(key), `${name}: key ${key} is there twice`);
      actual.set(key, `${change} ${value}`);
    }
    assert.deepEqual(sorted(actual), sorted(expected), `${name}: not the changes of the source`);
    assert.equal(counts.read, seen.size, `${name}: rows read`);
    assert.equal(counts.written, rows.length, `${name}: rows written`);

    const held = new Map(full ? [] : this.#held);
    for (const { key, name: value, change } of rows) {
      if (change === 'removed') held.delete(key);
      else held.set(key, value);
    }
    // `upsert` does not say which keys are gone: its consumer keeps them, and is told of
    // them again when they return.
    if (syncMode === 'upsert') for (const key of held.keys()) if (!seen.has(key)) held.delete(key);
    if (syncMode !== 'insert')
      assert.deepEqual(sorted(held), sorted(seen), `${name}: folded, it is not the source`);
    if (runType === 'full_only') assert.ok(full, `${name}: is a delta`);
    this.#held = held;
    this.#before = seen;
  }
}

function sorted<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([a], [b]) => a - b);
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath ?? entry.path, entry.name));
}
