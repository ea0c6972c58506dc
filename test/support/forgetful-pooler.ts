/**
 * What a pooler in transaction mode is to a client: it has a key of its own for each
 * session, forgets it as soon as the client's socket closes, keeps the server's session
 * running all the same, and drops a CancelRequest whose sender half-closes behind it.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;
const BACKEND_KEY_DATA = 0x4b;

export interface ForgetfulPooler {
  /** The same URL, by way of the pooler. */
  through(url: string): string;
  /** Cancellations that were passed on, and those that were dropped. */
  readonly cancellations: { readonly passed: number; readonly dropped: number };
  close(): Promise<void>;
}

export async function startForgetfulPooler(target: string): Promise<ForgetfulPooler> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const keys = new Map<string, Buffer>();
  const cancellations = { passed: 0, dropped: 0 };
  const toServer = (): Socket => {
    const socket = connect({ host: hostname, port: Number(port) });
    sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };

  const cancel = async (client: Socket, packet: Buffer): Promise<void> => {
    let isHalfClosed = false;
    client.on('end', () => {
      isHalfClosed = true;
    });
    // The end, where there is one, is on its way right behind the request.
    await sleep(20);
    const key = keys.get(packet.toString('hex', 8, 16));
    if (key === undefined || isHalfClosed) {
      cancellations.dropped += 1;
    } else {
      cancellations.passed += 1;
      const server = toServer();
      server.write(Buffer.concat([packet.subarray(0, 8), key]));
      server.resume();
      await once(server, 'close');
    }
    client.end();
  };

  const serve = (client: Socket, startup: Buffer): void => {
    const server = toServer();
    let ownKey: string | undefined;
    server.write(startup);
    client.on('data', chunk => server.write(chunk));
    client.on('close', () => {
      if (ownKey !== undefined) keys.delete(ownKey); // and the server goes on
    });
    server.on('data', chunk => {
      const at = ownKey === undefined ? indexOfKey(chunk) : -1;
      if (at >= 0) {
        const key = Buffer.from(chunk.subarray(at, at + 8));
        const own = Buffer.from(key.map(byte => byte ^ 0x2a));
        own.copy(chunk, at);
        ownKey = own.toString('hex');
        keys.set(ownKey, key);
      }
      if (client.writable) client.write(chunk);
    });
    server.on('close', () => client.end());
  };

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    sockets.add(client);
    client.on('error', () => {}).on('close', () => sockets.delete(client));
    client.on('end', () => client.end());
    const onFirst = (packet: Buffer): void => {
      const code = packet.readInt32BE(4);
      if (code === SSL_REQUEST) {
        client.write('N');
        return;
      }
      client.off('data', onFirst);
      if (code === CANCEL_REQUEST) void cancel(client, packet);
      else serve(client, packet);
    };
    client.on('data', onFirst);
  });
  listener.listen(0, '127.0.0.1').unref();
  await once(listener, 'listening');
  const own = (listener.address() as AddressInfo).port;
  return {
    cancellations,
    through: url => {
      const replaced = new URL(url);
      replaced.port = String(own);
      replaced.hostname = '127.0.0.1';
      return replaced.href;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** Where the key is in a chunk of messages, or -1. */
function indexOfKey(chunk: Buffer): number {
  for (let at = 0; at + 5 <= chunk.length; at += 1 + chunk.readInt32BE(at + 1)) {
    if (chunk[at] === BACKEND_KEY_DATA) return at + 5;
  }
  return -1;
}
