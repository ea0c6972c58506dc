import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface ThrottledLine {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** Bytes that went to the server, over all connections. */
  readonly bytesToServer: number;
  /** Nothing passes any more, and nothing is closed. */
  stall(): void;
  close(): Promise<void>;
}

const TICK_MS = 20;

/**
 * A slow uplink in front of a server: its connections share so many bytes a second
 * evenly, in turn.
 */
export async function startThrottledLine(target: string, bytesPerSecond: number): Promise<ThrottledLine> {
  const { hostname, port } = new URL(target);
  const links = new Set<{ readonly client: Socket; readonly server: Socket }>();
  let bytesToServer = 0;
  let isStalled = false;
  const server = createServer(client => {
    const upstream = connect({ host: hostname, port: Number(port) });
    const link = { client, server: upstream };
    links.add(link);
    upstream.pipe(client);
    client.pause();
    // `readable` is listened to so that at most a little is taken from the client in
    // advance.
    client.on('readable', () => {});
    for (const socket of [client, upstream]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        links.delete(link);
        client.destroy();
        upstream.destroy();
      });
    }
  });
  // On a busy machine ticks come late.
  let looked = performance.now();
  const timer = setInterval(() => {
    const elapsedMs = Math.min(performance.now() - looked, 1000);
    looked = performance.now();
    if (isStalled) return;
    let left = (bytesPerSecond * elapsedMs) / 1000;
    const waiting = [...links].filter(({ client }) => client.readableLength > 0);
    for (const [index, { client, server: upstream }] of waiting.entries()) {
      const share = Math.max(1, Math.floor(left / (waiting.length - index)));
      const chunk = client.read(Math.min(share, client.readableLength)) as Buffer | null;
      if (chunk === null) continue;
      left -= chunk.length;
      bytesToServer += chunk.length;
      upstream.write(chunk);
    }
  }, TICK_MS);
  timer.unref();
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get bytesToServer() {
      return bytesToServer;
    },
    stall: () => {
      isStalled = true;
    },
    close: async () => {
      clearInterval(timer);
      for (const { client, server: upstream } of links) {
        client.destroy();
        upstream.destroy();
      }
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
