import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MIN_PEER_ROWS, PEERS, type PeerCase } from '../cases.ts';
import { measureSuccess } from './measure.ts';
import { type Spread, spread } from './statistics.ts';

export interface PeerOptions {
  readonly databaseUrl: string;
  readonly rows: number;
  readonly rounds: number;
  /** Where the peers upload to. */
  readonly containerUrl: string;
  /** For the files of those that need some. */
  readonly folder: string;
  readonly peers?: readonly PeerCase[];
  readonly say: (text: string) => void;
}

/** Rows per second of each peer, whole processes from start to end. */
export async function measurePeers(options: PeerOptions): Promise<Map<PeerCase, Spread>> {
  const { rows, rounds, peers = PEERS, say } = options;
  const seen = new Map<PeerCase, number[]>();
  const csv = join(options.folder, 'peer.csv');
  if (peers.some(({ name }) => name === 'duckdb-parquet')) {
    say('writing a CSV file for DuckDB');
    await copyToFile(options.databaseUrl, csv);
  }
  for (let round = 1; round <= rounds; round++) {
    for (const peer of peers) {
      const peerRows = Math.min(rows, Math.max(MIN_PEER_ROWS, Math.ceil(rows * peer.share)));
      const { wallMs } = await measureSuccess(process.execPath, [
        '--import',
        'tsx',
        fileURLToPath(new URL(`../peers/${peer.name}.ts`, import.meta.url)),
        ...argumentsOf(peer, peerRows, csv, options),
      ]);
      const speed = peerRows / (wallMs / 1000);
      seen.set(peer, [...(seen.get(peer) ?? []), speed]);
      say(`  peer ${peer.name} ${Math.round(speed).toLocaleString('en')} rows/s`);
    }
  }
  rmSync(csv, { force: true });
  return new Map(Array.from(seen, ([peer, speeds]) => [peer, spread(speeds)]));
}

function argumentsOf(
  { name }: PeerCase,
  rows: number,
  csv: string,
  { databaseUrl, containerUrl, folder }: PeerOptions,
): string[] {
  if (name === 'duckdb-parquet') return ['--csv', csv, '--out', join(folder, 'peer.parquet')];
  return ['--url', databaseUrl, '--rows', String(rows), '--container-url', containerUrl, '--blob', name];
}

async function copyToFile(databaseUrl: string, path: string): Promise<void> {
  const copy = `\\copy (select * from customers) to '${path}' csv header`;
  await measureSuccess('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', databaseUrl, '-c', copy]);
}
