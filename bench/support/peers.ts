import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MIN_PEER_ROWS, PEERS, type PeerCase } from '../cases.ts';
import { measureSuccess } from './measure.ts';
import { CHDB, installed } from './on-demand.ts';
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
  const { rows, rounds, say } = options;
  const peers = (options.peers ?? PEERS).filter(peer => isThere(peer, say));
  // So that no measurement installs it.
  if (peers.some(({ needs }) => needs === 'chdb')) installed(CHDB);
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
        fileURLToPath(new URL(`../peers/${peer.script ?? peer.name}.ts`, import.meta.url)),
        ...argumentsOf(peer, peerRows, csv, options),
      ]);
      const speed = peerRows / (wallMs / 1000);
      seen.set(peer, [...(seen.get(peer) ?? []), speed]);
      say(`  peer ${peer.name} ${Math.round(speed).toLocaleString('en')} rows/s`);
    }
  }
  rmSync(csv, { force: true });
  rmSync(fileOf(options), { force: true });
  return new Map(Array.from(seen, ([peer, speeds]) => [peer, spread(speeds)]));
}

/** What peers write that have options. */
function fileOf({ folder }: PeerOptions): string {
  return join(folder, 'peer.out');
}

function isThere({ name, needs }: PeerCase, say: PeerOptions['say']): boolean {
  const there = {
    chdb: () => process.platform === 'linux' && process.arch === 'x64',
    pigz: () => spawnSync('pigz', ['--version']).status === 0,
  };
  if (needs === undefined || there[needs]()) return true;
  say(`  peer ${name} left out: ${needs} is not to be had here`);
  return false;
}

function argumentsOf(
  { name, options: wanted }: PeerCase,
  rows: number,
  csv: string,
  options: PeerOptions,
): string[] {
  const { databaseUrl, containerUrl, folder } = options;
  if (name === 'duckdb-parquet') return ['--csv', csv, '--out', join(folder, 'peer.parquet')];
  if (wanted) return [...wanted, '--url', databaseUrl, '--rows', String(rows), '--out', fileOf(options)];
  return ['--url', databaseUrl, '--rows', String(rows), '--container-url', containerUrl, '--blob', name];
}

async function copyToFile(databaseUrl: string, path: string): Promise<void> {
  const copy = `\\copy (select * from customers) to '${path}' csv header`;
  await measureSuccess('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', databaseUrl, '-c', copy]);
}
