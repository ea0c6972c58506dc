import { SluiceError } from '../errors.ts';
import type { BlobStore } from '../sinks/sink.ts';

/**
 * Looks, before the source is read, at the names that the run writes first: what one request tells need not be found out
 * after hours of reading. Fails where a name belongs to something that no file can replace.
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

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
