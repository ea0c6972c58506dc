import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const TICK_MS = 20;

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes that may pass now. */
  left: number;
}

/**
 * A way to a server on which each connection brings so many bytes a second and no more,
 * as from a source that is busy or far away. Resolves to the URL by that way.
 */
export async function startSlowLines(
  url: string,
  bytesPerSecond: number,
): Promise<{ readonly url: string; close(): void }> {
  const { hostname, port } = new URL(url);
  const links = new Set<Link>();
  const lines = createServer(client => {
    const server = connect({ host: hostname, port: Number(port) });
    const link: Link = { client, server, left: 0 };
    links.add(link);
    client.pipe(server);
    // Read by hand, so that at most a little is taken in advance.
    server.pause().on('readable', () => pass(link));
    for (const socket of [client, server]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        links.delete(link);
        client.destroy();
        server.destroy();
      });
    }
  });
  let looked = performance.now();
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - looked;
    looked += elapsedMs;
    for (const link of links) {
      // What was not used is lost, but for a tick's worth.
      link.left =
        Math.min(link.left, (bytesPerSecond * TICK_MS) / 1000) + (bytesPerSecond * elapsedMs) / 1000;
      pass(link);
    }
  }, TICK_MS);
  lines.listen(0, '127.0.0.1');
  await once(lines, 'listening');
  const slow = new URL(url);
  slow.hostname = '127.0.0.1';
  slow.port = String((lines.address() as AddressInfo).port);
  return {
    url: slow.href,
    close: () => {
      clearInterval(timer);
      lines.close();
    },
  };
}

function pass(link: Link): void {
  while (link.left >= 1 && link.server.readableLength > 0) {
    const chunk = link.server.read(Math.min(Math.floor(link.left), link.server.readableLength)) as Buffer;
    link.left -= chunk.length;
    link.client.write(chunk);
  }
}
