import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BlobServiceClient } from '@azure/storage-blob';

/** Azurite in a process of its own, with an empty container named bench. */
export interface Emulator {
  readonly connectionString: string;
  stop(): Promise<void>;
}

export async function startEmulator(): Promise<Emulator> {
  const script = fileURLToPath(new URL('./emulator-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [connectionString] = (await once(createInterface(child.stdout), 'line')) as [string];
  await BlobServiceClient.fromConnectionString(connectionString).createContainer('bench');
  return {
    connectionString,
    stop: async () => {
      child.stdin.end();
      await exited;
    },
  };
}
