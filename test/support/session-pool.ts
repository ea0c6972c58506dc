/**
 * A pooler in session mode in front of PostgreSQL: who comes next is given the session of
 * who went, as good as new. To begin one costs the server more than most runs of a small
 * table.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;
const READY = 0x5a;
const TERMINATE = Buffer.from('X\0\0\0\x04', 'latin1');

export interface SessionPool {
  /** The same URL, by way of the pool. */
  through(url: string): string;
  close(): Promise<void>;
}

interface Session {
  readonly server: Socket;
  /** What the server said when it began. */
  readonly greeting: Buffer;
}

export async function startSessionPool(target: string): Promise<SessionPool> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  /** By what the client asked for: sessions that wait. */
  const idle = new Map<string, Session[]>();
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const toServer = (first: Buffer): Socket => {
    const socket = track(connect({ host: hostname, port: Number(port), noDelay: true }));
    socket.write(first);
    return socket;
  };

  const serve = async (client: Socket, startup: Buffer): Promise<void> => {
    const kind = startup.toString('latin1');
    const session = idle.get(kind)?.pop() ?? (await begin(toServer(startup)));
    const { server, greeting } = session;
    client.write(greeting);
    let isDone = false;
    const toClient = (chunk: Buffer): void => void client.write(chunk);
    const onLost = (): void => void client.destroy();
    server.on('data', toClient).once('close', onLost);
    client.on('data', (chunk: Buffer) => {
      isDone = chunk.subarray(-TERMINATE.length).equals(TERMINATE);
      server.write(isDone ? chunk.subarray(0, -TERMINATE.length) : chunk);
      if (isDone) client.end();
    });
    client.once('close', () => {
      server.off('data', toClient).off('close', onLost);
      if (!isDone) return void server.destroy();
      answers(server, ['rollback', 'discard all'].map(query).join(''), 2).then(
        () => idle.set(kind, [...(idle.get(kind) ?? []), session]),
        () => {}, // a session that has ended serves nobody
      );
    });
  };

  const listener = createServer({ noDelay: true }, client => {
    track(client);
    const onFirst = (packet: Buffer): void => {
      const code = packet.readInt32BE(4);
      if (code === SSL_REQUEST) {
        client.write('N');
        return;
      }
      client.off('data', onFirst);
      if (code === CANCEL_REQUEST) toServer(packet).once('close', () => client.end());
      else serve(client, packet).catch(() => client.destroy());
    };
    client.on('data', onFirst);
  });
  listener.listen(0, '127.0.0.1').unref();
  await once(listener, 'listening');
  const own = (listener.address() as AddressInfo).port;
  return {
    through: url => {
      const replaced = new URL(url);
      replaced.port = String(own);
      return replaced.href;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

async function begin(server: Socket): Promise<Session> {
  return { server, greeting: await answers(server, '', 1) };
}

function query(text: string): string {
  const head = Buffer.from('Q\0\0\0\0', 'latin1');
  head.writeInt32BE(text.length + 5, 1);
  return `${head.toString('latin1')}${text}\0`;
}

/** Sends messages; what the server says until it is ready so many times. */
function answers(server: Socket, messages: string, times: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let said = Buffer.alloc(0);
    let at = 0;
    let left = times;
    const onData = (chunk: Buffer): void => {
      said = Buffer.concat([said, chunk]);
      while (at + 5 <= said.length) {
        const next = at + 1 + said.readInt32BE(at + 1);
        if (next > said.length) return;
        if (said[at] === READY) left--;
        at = next;
      }
      if (left > 0) return;
      server.off('data', onData).off('close', onClose);
      resolve(said);
    };
    const onClose = (): void => reject(new Error('the session has ended'));
    server.on('data', onData).once('close', onClose);
    if (messages !== '') server.write(messages, 'latin1');
  });
}
