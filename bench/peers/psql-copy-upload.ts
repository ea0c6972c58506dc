/**
 * What a script would do: `psql \copy … to stdout csv`, piped into the SDK's
 * uploadStream.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { peerArguments, UPLOAD } from './peer-arguments.ts';

const { databaseUrl, query, blob } = peerArguments('psql-copy-upload.csv');
const copy = `\\copy (${query}) to stdout csv`;
const psql = spawn('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', databaseUrl, '-c', copy], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = once(psql, 'close') as Promise<[number | null]>;
await blob.uploadStream(psql.stdout, UPLOAD.bufferSize, UPLOAD.maxConcurrency);
const [code] = await ended;
// By now the file is published, whole or not: the weakness of the script, kept as it is.
process.exitCode = code ?? 1;
