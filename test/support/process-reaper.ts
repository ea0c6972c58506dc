import { spawn } from 'node:child_process';

/**
 * Waits on its standard input. A line says that the owner has cleaned up by itself; the
 * end of input without one says that the owner is gone, however it went: then the server
 * whose lock file lies in the directory is stopped at once and the directory removed.
 * Signals of a Ctrl-C reach the whole terminal, hence the trap.
 */
const SCRIPT = `
trap '' INT TERM HUP QUIT
read -r released && exit 0
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
[ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null
tries=0
while [ -e "$1/data/postmaster.pid" ] && [ "$tries" -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
[ -e "$1/data/postmaster.pid" ] && [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null
rm -rf "$1"
`;

export interface Reaper {
  /** The directory is in good hands: the reaper ends and touches nothing. */
  release(): void;
}

/**
 * Guards `directory`, with the PostgreSQL server that may run in its `data` folder,
 * against the end of this process. Unlike an exit handler it also works after SIGKILL. It
 * does not keep this process alive.
 */
export function guardServerDirectory(directory: string): Reaper {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'sluice-test-reaper', directory], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => {}); // without a shell the directory stays; nothing else depends on it
  child.unref();
  child.stdin.on('error', () => {});
  (child.stdin as unknown as { unref(): void }).unref();
  return { release: () => child.stdin.end('released\n') };
}
