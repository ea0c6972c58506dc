import { SluiceError } from '../errors.ts';
import type { BlobStore, Destination } from '../sinks/sink.ts';

/**
 * Looks, before the source is read, at the names that the run writes first: what one
 * request tells need not be found out after hours of reading. Fails where a name belongs
 * to something that no file can replace.
 */
export async function lookBeforeReading(
  store: Pick<BlobStore, 'head'>,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const existing = await store.head(name);
    if (existing?.obstacle === undefined) continue;
    const isDirectory = existing.obstacle === 'directory';
    throw new SluiceError(
      'DESTINATION_REFUSED',
      `${name} is ${article(existing.obstacle)}, which no file can replace`,
      {
        stage: 'destination',
        hint: isDirectory
          ? 'change fileName, or delete the directory'
          : 'delete the blob, or change fileName',
      },
    );
  }
}

/**
 * The same for files that are staged in blocks: fails also where another tool has left
 * behind what is in the way of a block and stays. Returns the names on which the run
 * drops such.
 */
export async function lookBeforeStaging(
  store: Pick<Destination, 'head' | 'findForeignBlocks'>,
  names: readonly string[],
): Promise<string[]> {
  await lookBeforeReading(store, names);
  const encumbered: string[] = [];
  for (const name of names) {
    const found = await store.findForeignBlocks(name);
    if (found instanceof SluiceError) throw found;
    if (found === 'to drop') encumbered.push(name);
  }
  return encumbered;
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
