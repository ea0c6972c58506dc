import { SluiceError } from '../errors.ts';
import { atOnce } from '../sinks/at-once.ts';
import type { BlobProperties, BlobStore, Destination } from '../sinks/sink.ts';

/** The first of the names that something has already. */
export async function findTaken(
  store: Pick<BlobStore, 'head'>,
  names: readonly string[],
): Promise<string | undefined> {
  const found = await atOnce(names, name => store.head(name));
  return names.find((_, index) => found[index] !== undefined);
}

/** Throws where the name belongs to something that no file can replace. */
export function refuseObstacle(name: string, { obstacle }: Pick<BlobProperties, 'obstacle'>): void {
  if (obstacle === undefined) return;
  throw new SluiceError('DESTINATION_REFUSED', `${name} is ${article(obstacle)}, which no file can replace`, {
    stage: 'destination',
    hint:
      obstacle === 'directory'
        ? 'change fileName, or delete the directory'
        : 'delete the blob, or change fileName',
  });
}

/**
 * Looks, before the source is read, at the names that the run writes first: what one
 * request tells need not be found out after hours of reading. Fails where a name belongs
 * to something that no file can replace, or where another tool has left behind what is in
 * the way of a block and stays. Returns the names on which the run drops such.
 */
export async function lookBeforeStaging(
  store: Pick<Destination, 'head' | 'findForeignBlocks'>,
  names: readonly string[],
): Promise<string[]> {
  for (const name of names) {
    const there = await store.head(name);
    if (there !== undefined) refuseObstacle(name, there);
  }
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
