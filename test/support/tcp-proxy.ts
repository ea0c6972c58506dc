/**
 * A TCP proxy in front of PostgreSQL, for the faults of a network: a stall, a cut, a peer
 * that is silently gone.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface ByteCounts {
  readonly toServer: number;
  readonly toClient: number;
}

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** The same URL, by way of the proxy. */
  through(url: string): string;
  /** Connections accepted so far, and those open now. */
  readonly connections: { readonly accepted: number; readonly open: number };
  /** Bytes passed on since the start, over all connections. */
  readonly bytes: ByteCounts;
  /** Resolves when at least so many bytes, counted from the start, went that way. */
  passed(counts: Partial<ByteCounts>): Promise<void>;
  /** Resolves when no connection is open. */
  idle(): Promise<void>;
  /**
   * Reads nothing from either side, so that their writes back up. New connections are
   * accepted, and wait too.
   */
  pause(): void;
  /** Ends `pause`; ends `blackHole` for new connections. */
  resume(): void;
  /** Resets both sides of all connections. New ones work. */
  cut(): void;
  /** Passes exactly so many more bytes to the client, then cuts. */
  cutAfter(bytesToClient: number): void;
  /**
   * Swallows everything both sides send and never closes: the peer of a dead network.
   * Also for new connections.
   */
  blackHole(): void;
  close(): Promise<void>;
}

type Mode = 'pass' | 'paused' | 'black-hole';

/** `target` is a URL with host and port; without a port, PostgreSQL's own is taken. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port: targetPort } = new URL(target);
  const links = new Set<Link>();
  const bytes = { toServer: 0, toClient: 0 };
  const waiters = new Set<() => void>();
  let accepted = 0;
  let mode: Mode = 'pass';
  let bytesToCut = Number.POSITIVE_INFINITY;

  const changed = () => {
    for (const waiter of [...waiters]) waiter();
  };
  const cut = () => {
    bytesToCut = Number.POSITIVE_INFINITY;
    for (const link of [...links]) link.reset();
  };
  const until = (condition: () => boolean) =>
    new Promise<void>(resolve => {
      const waiter = () => {
        if (!condition()) return;
        waiters.delete(waiter);
        resolve();
      };
      waiters.add(waiter);
      waiter();
    });

  const server = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    accepted += 1;
    const upstream = connect({
      host: hostname,
      port: Number(targetPort || 5432),
      allowHalfOpen: true,
      noDelay: true,
    });
    const link = new Link(client, upstream, mode, {
      toServer: chunk => {
        bytes.toServer += chunk.length;
        changed();
      },
      toClient: chunk => {
        const passing = chunk.subarray(0, bytesToCut);
        bytesToCut -= passing.length;
        bytes.toClient += passing.length;
        changed();
        return { passing, last: bytesToCut === 0 };
      },
      cut,
      closed: () => {
        links.delete(link);
        changed();
      },
    });
    links.add(link);
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const enter = (next: Mode) => {
    mode = next;
    for (const link of links) link.enter(next);
  };
  return {
    host: '127.0.0.1',
    port,
    through: url => {
      const replaced = new URL(url);
      replaced.hostname = '127.0.0.1';
      replaced.port = String(port);
      return replaced.href;
    },
    get connections() {
      return { accepted, open: links.size };
    },
    get bytes() {
      return { ...bytes };
    },
    passed: counts =>
      until(() => bytes.toServer >= (counts.toServer ?? 0) && bytes.toClient >= (counts.toClient ?? 0)),
    idle: () => until(() => links.size === 0),
    pause: () => enter('paused'),
    resume: () => enter('pass'),
    cut,
    cutAfter: bytesToClient => {
      bytesToCut = bytesToClient;
      if (bytesToClient === 0) cut();
    },
    blackHole: () => enter('black-hole'),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}

interface LinkEvents {
  toServer(chunk: Buffer): void;
  /** Says how much of the chunk may pass, and whether the cut comes after it. */
  toClient(chunk: Buffer): { passing: Buffer; last: boolean };
  cut(): void;
  closed(): void;
}

/** One client with its connection to the server. */
class Link {
  readonly #client: Socket;
  readonly #upstream: Socket;
  #mode: Mode = 'pass';

  constructor(client: Socket, upstream: Socket, mode: Mode, events: LinkEvents) {
    this.#client = client;
    this.#upstream = upstream;
    // The test's own client keeps the process alive while it waits.
    for (const socket of [client, upstream]) {
      socket.unref();
      socket.on('error', () => this.reset());
    }
    client.on('data', (chunk: Buffer) => {
      if (this.#mode === 'black-hole') return;
      events.toServer(chunk);
      this.#pass(chunk, client, upstream);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (this.#mode === 'black-hole') return;
      const { passing, last } = events.toClient(chunk);
      if (last) client.write(passing, () => events.cut());
      else if (passing.length > 0) this.#pass(passing, upstream, client);
    });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      to.on('drain', () => {
        if (this.#mode !== 'paused') from.resume();
      });
      from.on('end', () => {
        if (this.#mode !== 'black-hole') to.end();
      });
    }
    let open = 2;
    const closed = () => {
      open -= 1;
      if (open === 0) events.closed();
    };
    client.on('close', closed);
    upstream.on('close', closed);
    this.enter(mode);
  }

  enter(mode: Mode): void {
    // What a black hole swallowed is missing from the stream: there is no way back for
    // this connection.
    if (this.#mode === 'black-hole') return;
    this.#mode = mode;
    for (const socket of [this.#client, this.#upstream]) {
      if (mode === 'paused') socket.pause();
      else socket.resume();
    }
  }

  reset(): void {
    for (const socket of [this.#client, this.#upstream]) {
      // A socket that is still connecting cannot be reset.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  #pass(chunk: Buffer, from: Socket, to: Socket): void {
    if (to.writable && !to.write(chunk)) from.pause();
  }
}
