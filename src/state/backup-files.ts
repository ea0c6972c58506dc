import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { BaselineState } from '../baseline/baseline.ts';
import { syncFolder } from '../disk/sync-folder.ts';
import { SluiceError } from '../errors.ts';
import { atOnce } from '../sinks/at-once.ts';
import type { BlobReader, BlobStore, Precondition, WriteOutcome } from '../sinks/sink.ts';
import { stateError } from '../system-errors.ts';

/**
 * Backups of a baseline in its destination, below `_sluice/ACTIVATION/state/`:
 *
 *   files/SHA256        a file of LevelDB, under the hash of its contents: what is there already is not sent again
 *   backups/ID.json     a descriptor: which files make a baseline, under which names, and what it must be then
 *   latest.json         the newest descriptor, by compare-and-swap
 *
 * Files come first, then the descriptor, then `latest.json`: what a reader finds is
 * whole.
 */

const whole = z.int().min(0);
const word = z.int();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** What LevelDB calls its files; no name leads out of its folder. */
const LEVEL_FILE = /^(?:\d+\.(?:ldb|sst|log)|MANIFEST-\d+|CURRENT)$/;

const seedSchema = z.tuple([word, word, word, word]).readonly();

const stateSchema = z.object({
  generation: whole,
  run: z.string(),
  count: whole,
  digest: z.object({ low: word, high: word }),
  hashing: z
    .object({
      function: z.string(),
      secret: z.string(),
      former: z.object({ seed: seedSchema, count: whole }).optional(),
    })
    .optional(),
  seed: seedSchema.optional(),
  identity: z.string(),
  retained: z.enum(['nothing', 'key', 'row']),
}) satisfies z.ZodType<BaselineState>;

const descriptorSchema = z.object({
  version: z.literal(1),
  backup: z.string(),
  activation: z.string(),
  createdAt: z.string(),
  state: stateSchema,
  files: z.array(z.object({ name: z.string().regex(LEVEL_FILE), bytes: whole, sha256 })).min(1),
});
export type BackupDescriptor = Readonly<z.output<typeof descriptorSchema>>;

const latestSchema = z.object({
  version: z.literal(1),
  backup: z.string(),
  generation: whole,
  run: z.string(),
  createdAt: z.string(),
  /** Checksum of the descriptor. */
  sha256,
});
export type LatestBackup = Readonly<z.output<typeof latestSchema>>;

export type BackupStore = BlobStore & BlobReader;

/** Larger files go up in blocks of this size. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Bounded, and so is memory. */
const FILES_AT_ONCE = 3;
const MAX_ATTEMPTS = 5;

export interface UploadOptions {
  readonly store: BackupStore;
  /** Ends with `/`. */
  readonly prefix: string;
  /** A closed LevelDB that nobody writes to. */
  readonly directory: string;
  readonly backup: string;
  readonly activation: string;
  readonly state: BaselineState;
  readonly now: Date;
  /** Where there is a later generation already. */
  readonly replaceLater: boolean;
  readonly encryptionScope?: string | undefined;
}

export interface UploadedBackup {
  readonly descriptor: BackupDescriptor;
  readonly filesUploaded: number;
  readonly bytesUploaded: number;
}

/**
 * Rejects with STATE_STALE where the destination has a backup of a later generation, and
 * with DESTINATION_CONFLICT where another backup was finished meanwhile.
 */
export async function uploadBackup(options: UploadOptions): Promise<UploadedBackup> {
  const { store, prefix, directory, backup, activation, state, now, replaceLater } = options;
  const { generation, run, count, digest, hashing, seed, identity, retained } = state;
  const latestName = `${prefix}latest.json`;
  const before = await readJson(store, latestName, latestSchema);
  if (before !== undefined && before.value.generation > generation && !replaceLater) {
    const message = `the latest backup of ${activation} is of generation ${before.value.generation}; the local state is at ${generation}`;
    throw new SluiceError('STATE_STALE', message, {
      stage: 'state',
      hint: 'restore that backup, or repeat with --force to make this one the latest',
    });
  }
  const names = (await readdir(directory)).filter(name => LEVEL_FILE.test(name)).sort();
  let filesUploaded = 0;
  let bytesUploaded = 0;
  const upload = async (name: string): Promise<BackupDescriptor['files'][number]> => {
    const file = await describeFile(directory, name);
    if (await uploadFile(file, options)) {
      filesUploaded++;
      bytesUploaded += file.bytes;
    }
    return file;
  };
  const files = await atOnce(names, upload, FILES_AT_ONCE);
  const createdAt = now.toISOString();
  const told = { generation, run, count, digest, hashing, seed, identity, retained };
  const descriptor: BackupDescriptor = { version: 1, backup, activation, createdAt, state: told, files };
  const bytes = Buffer.from(JSON.stringify(descriptor, undefined, 2));
  await writeJson(store, descriptorName(prefix, backup), bytes, { ifAbsent: true });
  const latest: LatestBackup = { version: 1, backup, generation, run, createdAt, sha256: hashOf(bytes) };
  const condition: Precondition = before ? { ifMatch: before.etag } : { ifAbsent: true };
  await writeJson(store, latestName, Buffer.from(JSON.stringify(latest, undefined, 2)), condition);
  return { descriptor, filesUploaded, bytesUploaded };
}

/**
 * What there is to restore, in one request. Rejects with STATE_DAMAGED where it is not
 * what was written.
 */
export async function latestBackup(
  store: Pick<BlobStore, 'getBlob'>,
  prefix: string,
): Promise<LatestBackup | undefined> {
  return (await readJson(store, `${prefix}latest.json`, latestSchema))?.value;
}

/**
 * The descriptor of a backup; the latest one without an id. `undefined` where there is
 * none. Rejects with STATE_DAMAGED where it is not what was written.
 */
export async function findBackup(
  store: BackupStore,
  prefix: string,
  { activation, backup }: { readonly activation: string; readonly backup?: string | undefined },
): Promise<BackupDescriptor | undefined> {
  let latest: LatestBackup | undefined;
  if (backup === undefined) {
    latest = await latestBackup(store, prefix);
    if (latest === undefined) return undefined;
  }
  const name = descriptorName(prefix, backup ?? latest!.backup);
  const found = await readJson(store, name, descriptorSchema);
  if (found === undefined) {
    if (latest === undefined) return undefined;
    throw damaged(`${name}, to which ${prefix}latest.json points, is not there`);
  }
  if (latest !== undefined && hashOf(found.bytes) !== latest.sha256)
    throw damaged(`${name} is not the one that ${prefix}latest.json points to`);
  if (found.value.activation !== activation)
    throw damaged(`${name} is a backup of ${found.value.activation}, not of ${activation}`);
  return found.value;
}

/** Ids of the backups among the names of blobs below `prefix`, the newest first. */
export function backupsAmong(names: readonly string[], prefix: string): string[] {
  const folder = descriptorFolder(prefix);
  return names
    .filter(name => name.startsWith(folder) && name.endsWith('.json'))
    .map(name => name.slice(folder.length, -'.json'.length))
    .sort()
    .reverse();
}

export function descriptorFolder(prefix: string): string {
  return `${prefix}backups/`;
}

/**
 * Puts the files of a backup into a new folder, and makes them durable. Rejects with
 * STATE_DAMAGED.
 */
export async function downloadBackup(
  store: BackupStore,
  prefix: string,
  { descriptor, directory }: { readonly descriptor: BackupDescriptor; readonly directory: string },
): Promise<void> {
  await onDisk(() => mkdir(directory, { mode: 0o700 }));
  const download = async ({ name, bytes, sha256 }: BackupDescriptor['files'][number]): Promise<void> => {
    const blob = fileName(prefix, sha256);
    const there = await store.head(blob);
    if (there === undefined) throw damaged(`${blob} is not there`);
    if (there.bytes !== bytes) throw damaged(`${blob} has ${there.bytes} bytes, not ${bytes}`);
    const hash = createHash('sha256');
    const file = await onDisk(() => open(join(directory, name), 'wx', 0o600));
    try {
      for await (const piece of store.readBlob(blob, there)) {
        hash.update(piece);
        await onDisk(() => file.appendFile(piece));
      }
      await onDisk(() => file.sync());
    } finally {
      await file.close();
    }
    if (hash.digest('hex') !== sha256) throw damaged(`the contents of ${blob} are not those of its name`);
  };
  await atOnce(descriptor.files, download, FILES_AT_ONCE);
  await onDisk(() => syncFolder(directory));
}

function descriptorName(prefix: string, backup: string): string {
  return `${descriptorFolder(prefix)}${backup}.json`;
}

function fileName(prefix: string, hash: string): string {
  return `${prefix}files/${hash}`;
}

type LevelFile = BackupDescriptor['files'][number];

async function describeFile(directory: string, name: string): Promise<LevelFile> {
  const path = join(directory, name);
  const hash = createHash('sha256');
  return onDisk(async () => {
    const { size } = await stat(path);
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return { name, bytes: size, sha256: hash.digest('hex') };
  });
}

/** Whether it had to be sent. */
async function uploadFile(file: LevelFile, options: UploadOptions): Promise<boolean> {
  const { store, prefix, directory, activation, encryptionScope } = options;
  const blob = fileName(prefix, file.sha256);
  const isThere = (there: Awaited<ReturnType<BlobStore['head']>>): boolean =>
    there?.bytes === file.bytes && there.metadata['sha256'] === file.sha256;
  const there = await store.head(blob);
  if (isThere(there)) return false;
  const write = {
    condition: there === undefined ? { ifAbsent: true as const } : { ifMatch: there.etag },
    properties: {
      contentType: 'application/octet-stream',
      metadata: { sluice: activation, sha256: file.sha256 },
      ...(encryptionScope !== undefined && { encryptionScope }),
    },
  };
  const path = join(directory, file.name);
  await writeUntilThere(
    blob,
    async () => {
      if (file.bytes <= BLOCK_BYTES) return store.putBlob(blob, await onDisk(() => readFile(path)), write);
      const blockIds: string[] = [];
      const source = await onDisk(() => open(path, 'r'));
      try {
        const attempt = randomBytes(6).toString('hex');
        for (let at = 0; at < file.bytes; at += BLOCK_BYTES) {
          const block = await readBlock(source, at, Math.min(BLOCK_BYTES, file.bytes - at));
          const id = Buffer.from(`state-${attempt}-${String(blockIds.length).padStart(5, '0')}`).toString(
            'base64',
          );
          await store.stageBlock(blob, id, block, encryptionScope === undefined ? {} : { encryptionScope });
          blockIds.push(id);
        }
      } finally {
        await source.close();
      }
      return store.commitBlocks(blob, blockIds, write);
    },
    async () => isThere(await store.head(blob)),
  );
  return true;
}

async function readBlock(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const block = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await onDisk(() => file.read(block, at, length - at, position + at));
    if (bytesRead === 0) throw damaged('a file of it became shorter while it was read');
    at += bytesRead;
  }
  return block;
}

async function writeJson(
  store: BlobStore,
  name: string,
  bytes: Buffer,
  condition: Precondition,
): Promise<void> {
  await writeUntilThere(
    name,
    () => store.putBlob(name, bytes, { condition, properties: { contentType: 'application/json' } }),
    async () => (await store.getBlob(name))?.bytes.equals(bytes) === true,
  );
}

/**
 * Repeats a conditional write whose answer was lost, after a look at what is there
 * (commit-protocol).
 */
async function writeUntilThere(
  blob: string,
  write: () => Promise<WriteOutcome>,
  isThere: () => Promise<boolean>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await write();
    if (outcome.outcome === 'written' || (await isThere())) return;
    if (outcome.outcome === 'refused' && outcome.reason === 'condition') {
      throw new SluiceError('DESTINATION_CONFLICT', `${blob} was written by another backup meanwhile`, {
        stage: 'destination',
        hint: 'let one backup of an activation run at a time, then repeat it',
      });
    }
    if (attempt === MAX_ATTEMPTS) {
      const message = `writing ${blob} was not answered ${attempt} times: ${outcome.message}`;
      throw new SluiceError('DESTINATION_TIMEOUT', message, { stage: 'destination' });
    }
  }
}

async function readJson<T>(
  store: Pick<BlobStore, 'getBlob'>,
  name: string,
  schema: z.ZodType<T>,
): Promise<{ readonly value: T; readonly bytes: Buffer; readonly etag: string } | undefined> {
  const there = await store.getBlob(name);
  if (there === undefined) return undefined;
  try {
    return { ...there, value: schema.parse(JSON.parse(there.bytes.toString('utf8'))) };
  } catch (cause) {
    throw damaged(`${name} is not what a backup wrote`, cause);
  }
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function damaged(what: string, cause?: unknown): SluiceError {
  return new SluiceError('STATE_DAMAGED', `the backup is damaged: ${what}`, {
    cause,
    stage: 'state',
    hint: 'restore another backup with --backup, or run with --full',
  });
}

async function onDisk<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw stateError(cause, 'copying the baseline failed');
  }
}
