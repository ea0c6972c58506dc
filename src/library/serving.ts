import type { ServeOptions, ServingDaemon } from '../daemon/serve-daemon.ts';

/**
 * The daemon, in this process: HTTP API, console and schedules. Resolves when it serves.
 * Rejects with CONFIG_INVALID, STATE_LOCKED, STATE_DAMAGED, LISTEN_FAILED or
 * SHUTTING_DOWN.
 */
export async function serveDaemon(options: ServeOptions): Promise<ServingDaemon> {
  // A program that only exports need not load it.
  const { serveDaemon: serve } = await import('../daemon/serve-daemon.ts');
  return serve(options);
}
