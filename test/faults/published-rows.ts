import assert from 'node:assert/strict';
import type { Manifest } from '../../src/publish/manifest.ts';
import { checksumsOf } from '../sinks/support/checksums-of.ts';
import type { TestContainer } from '../support/azurite.ts';
import type { Rows } from './source-history.ts';

/** A row of a file, with the change that the file's name promises. */
export interface PublishedRow {
  readonly key: number;
  readonly name: string;
  readonly change: string;
}

/** Every file of the run, whole and as its manifest says; fails where one is not. */
export async function readPublished(container: TestContainer, manifest: Manifest): Promise<PublishedRow[]> {
  const rows: PublishedRow[] = [];
  for (const { name, bytes, crc64, sha256, rows: count, change = 'written' } of manifest.files) {
    const where = `${name} of generation ${manifest.generation}, ${manifest.run}`;
    const contents = await container.download(name).catch(error => {
      throw new Error(`${where} cannot be read: ${(error as Error).message.split('\n', 1)[0]}`);
    });
    assert.equal(contents.length, bytes, `size of ${where}`);
    assert.deepEqual({ crc64, sha256 }, checksumsOf(contents), `checksums of ${where}`);
    const [head, ...lines] = contents.toString().trimEnd().split('\n');
    assert.equal(head, 'id,name', `header of ${where}`);
    assert.equal(lines.length, count, `rows of ${where}`);
    for (const line of lines) {
      const comma = line.indexOf(',');
      rows.push({ key: Number(line.slice(0, comma)), name: line.slice(comma + 1), change });
    }
  }
  return rows;
}

/** What a run is to write, as `change value` by key. */
export function expectedRows(before: Rows, seen: Rows, syncMode: string, full: boolean): Map<number, string> {
  const expected = new Map<number, string>();
  const named = syncMode === 'difference';
  for (const [key, value] of seen) {
    const old = before.get(key);
    if (old === undefined) expected.set(key, `${named ? 'added' : 'written'} ${value}`);
    else if (old !== value && syncMode !== 'insert')
      expected.set(key, `${named ? 'updated' : 'written'} ${value}`);
  }
  if (named && !full)
    for (const [key, value] of before) if (!seen.has(key)) expected.set(key, `removed ${value}`);
  return expected;
}
