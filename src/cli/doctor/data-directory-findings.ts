import { statfs } from 'node:fs/promises';
import { checkFolder, nearestExisting } from '../../disk/usable-folder.ts';
import { formatBytes } from '../terminal/quantities.ts';
import type { Finding } from './finding.ts';

/**
 * By the number that `statfs` gives (linux/magic.h). `note` says what is to be known of
 * it.
 */
const FILE_SYSTEMS: ReadonlyMap<number, { readonly name: string; readonly note?: string }> = new Map([
  [0xef53, { name: 'ext4' }],
  [0x58465342, { name: 'xfs' }],
  [0x9123683e, { name: 'btrfs' }],
  [0x2fc12fc1, { name: 'zfs' }],
  [0x01021994, { name: 'tmpfs', note: 'it is memory, and lost with the machine or the container' }],
  [0x858458f6, { name: 'ramfs', note: 'it is memory, and lost with the machine or the container' }],
  [0x794c7630, { name: 'overlayfs', note: 'it is the file system of a container, and lost with it' }],
  [0x6969, { name: 'NFS', note: 'locks and syncs are only as good as those of its server' }],
  [0xff534d42, { name: 'SMB', note: 'locks and syncs are only as good as those of its server' }],
  [0xfe534d42, { name: 'SMB', note: 'locks and syncs are only as good as those of its server' }],
  [0x65735546, { name: 'FUSE', note: 'locks and syncs are only as good as those of what is behind it' }],
]);

const LITTLE_SPACE_BYTES = 1024 ** 3;
const DISK_HINT = 'keep dataDirectory on a local disk that lasts: deltas depend on it';

/** Whether runs can keep their state there, and whether it lasts. Makes nothing. */
export async function dataDirectoryFindings(dataDirectory: string): Promise<Finding[]> {
  const check = 'data directory';
  try {
    const existing = await nearestExisting(dataDirectory);
    await checkFolder(existing);
    const { type, bavail, bsize } = await statfs(existing);
    const { name, note } = FILE_SYSTEMS.get(type >>> 0) ?? { name: 'a file system of another kind' };
    const freeBytes = bavail * bsize;
    const made = existing === dataDirectory ? 'can be written' : 'is not there yet and can be made';
    const message = `${dataDirectory} ${made}; ${name}, ${formatBytes(freeBytes)} free`;
    if (note !== undefined)
      return [{ check, outcome: 'noted', message: `${message}: ${note}`, hint: DISK_HINT }];
    if (freeBytes < LITTLE_SPACE_BYTES)
      return [{ check, outcome: 'noted', message, hint: 'free space: a baseline grows with its rows' }];
    return [{ check, outcome: 'passed', message }];
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const who = process.getuid === undefined ? 'this user' : `user ${process.getuid()}`;
    return [
      {
        check,
        outcome: 'failed',
        message: `${dataDirectory} cannot be used by ${who} (${code ?? message})`,
        hint: 'name a folder that this user may read and write',
      },
    ];
  }
}
