import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SluiceError } from '../../../src/errors.ts';
import type { Column, RowBatch } from '../../../src/row-batch.ts';
import { JsonSource, type JsonSourceOptions } from '../../../src/sources/json/json-source.ts';
import { fromBatch } from '../../support/row-batches.ts';

export type Files = Readonly<Record<string, string | Uint8Array>>;

export interface Contents {
  readonly columns: readonly Column[];
  readonly rows: (string | null)[][];
  readonly batches: number;
}

export type Settings = Partial<JsonSourceOptions> & { readonly send?: readonly string[] };

export async function withFolder<T>(files: Files, act: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-json-'));
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return await act(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

export function sourceOf(path: string, settings: Settings = {}): JsonSource {
  return new JsonSource({
    name: 'events',
    path,
    layout: 'auto',
    inferRows: 1000,
    unknownKeys: 'fail',
    ...settings,
  });
}

/** All that a source says of the file, or of all files where there are several. */
export function readAll(files: Files, settings: Settings = {}): Promise<Contents> {
  return withFolder(files, async folder => {
    const names = Object.keys(files);
    const source = sourceOf(join(folder, names.length === 1 ? names[0]! : '*'), settings);
    try {
      const { columns } = await source.describe();
      const sent = settings.send?.map(name => columns.find(column => column.name === name)!) ?? columns;
      const rows: (string | null)[][] = [];
      let batches = 0;
      for await (const batch of source.read(sent)) {
        rows.push(...fromBatch(batch as RowBatch, sent.length));
        batches++;
      }
      const end = await source.finish();
      if (end.rows !== rows.length) throw new Error(`told ${end.rows} rows, sent ${rows.length}`);
      return { columns, rows, batches };
    } finally {
      await source.close();
    }
  });
}

export async function refusal(files: Files, settings: Settings = {}): Promise<SluiceError> {
  try {
    await readAll(files, settings);
  } catch (error) {
    return error as SluiceError;
  }
  throw new Error('the file was accepted');
}

export const kinds = ({ columns }: Contents): string[] => columns.map(({ name, kind }) => `${name} ${kind}`);
