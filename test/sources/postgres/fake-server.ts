/**
 * As much of PostgreSQL's protocol 3.0 as `PostgresSource` needs, to send what a real
 * server cannot be made to send. It serves one model with columns of text; what answers
 * an Execute of it is the test's.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export type FakeRow = readonly (string | null)[];

export interface Session {
  readonly socket: Socket;
  send(...messages: Buffer[]): void;
}

export interface Script {
  readonly columns: readonly string[];
  /**
   * Answers the Execute of the model, of at most so many rows (0: all), up to
   * CommandComplete.
   */
  execute(session: Session, maxRows: number): void;
  /** Sent in place of ReadyForQuery after the Sync that follows the rows. */
  readonly afterRows?: Buffer;
  /** Sent as the answer to `commit`. */
  readonly commit?: Buffer;
}

export class FakeServer {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.url = `postgresql://tester@127.0.0.1:${(server.address() as AddressInfo).port}/fake`;
  }

  static async start(script: Script): Promise<FakeServer> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, socket => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      serve(socket, script);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeServer(server, sockets);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function serve(socket: Socket, script: Script): void {
  const session: Session = { socket, send: (...messages) => socket.write(Buffer.concat(messages)) };
  let pending = Buffer.alloc(0);
  let started = false;
  let text = '';
  let rowsSent = false;
  const answer = (type: string, body: Buffer): void => {
    // A role that may call no function of the server.
    const isRights = text.includes('has_function_privilege');
    switch (type) {
      case 'Q':
        session.send(simpleAnswer(body.toString('utf8', 0, body.length - 1), script));
        break;
      case 'P':
        text = body.toString('utf8', 1, body.indexOf(0, 1));
        session.send(message('1'));
        break;
      case 'B':
        session.send(message('2'));
        break;
      case 'D':
        session.send(rowDescription(isRights ? ['name'] : script.columns));
        break;
      case 'E':
        if (isRights) {
          session.send(commandComplete('SELECT 0'));
          break;
        }
        rowsSent = true;
        script.execute(session, body.readInt32BE(body.indexOf(0) + 1));
        break;
      case 'C':
        session.send(message('3'));
        break;
      case 'S':
        session.send(rowsSent && script.afterRows ? script.afterRows : readyForQuery());
        break;
      case 'X':
        socket.end();
        break;
      default: // Flush: everything has been sent
    }
  };
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    if (!started && pending.length >= 8 && pending.readInt32BE(4) === 80877103) {
      pending = pending.subarray(8); // SSLRequest
      socket.write('N');
    }
    if (!started && pending.length >= 8 && pending.length >= pending.readInt32BE(0)) {
      if (pending.readInt32BE(4) === 80877102) socket.end(); // CancelRequest
      pending = pending.subarray(pending.readInt32BE(0));
      started = true;
      const key = Buffer.alloc(8, 7);
      session.send(message('R', Buffer.alloc(4)), message('K', key), readyForQuery('I'));
    }
    while (started && pending.length >= 5 && pending.length >= 1 + pending.readInt32BE(1)) {
      const end = 1 + pending.readInt32BE(1);
      const type = String.fromCharCode(pending[0]!);
      const body = pending.subarray(5, end);
      pending = pending.subarray(end);
      answer(type, body);
    }
  });
}

function simpleAnswer(text: string, script: Script): Buffer {
  if (text === 'commit')
    return script.commit ?? Buffer.concat([commandComplete('COMMIT'), readyForQuery('I')]);
  if (text.includes('current_setting')) {
    const names =
      'version at money_scale datestyle timezone intervalstyle float_digits bytea_output encoding';
    const row = ['150004', '1700000000123', '2', 'ISO, MDY', 'UTC', 'postgres', '1', 'hex', null];
    return Buffer.concat([result(names.split(' '), row), readyForQuery()]);
  }
  const statements = text.split(/;(?=\s|$)/).filter(part => part.trim() !== '');
  const answers = statements.map(statement => {
    if (statement.includes('format_type'))
      return result(['found'], [JSON.stringify(script.columns)], JSON_OID);
    return statement.includes('json_agg')
      ? result(['found'], [TEXT_FACTS], JSON_OID)
      : commandComplete('SET');
  });
  return Buffer.concat([...answers, readyForQuery()]);
}

const TEXT_OID = 25;
const JSON_OID = 114;
const TEXT_FACTS = JSON.stringify([
  {
    oid: TEXT_OID,
    type: 'b',
    element: 0,
    delimiter: ',',
    base: 0,
    part: 0,
    fields: [],
    output: 'textout',
    sends: true,
  },
]);

function result(names: readonly string[], row: FakeRow, oid = TEXT_OID): Buffer {
  return Buffer.concat([rowDescription(names, oid), dataRow(row), commandComplete('SELECT 1')]);
}

export function message(type: string, ...body: (Buffer | string)[]): Buffer {
  const content = Buffer.concat(body.map(part => Buffer.from(part as string)));
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([header, content]);
}

export function dataRow(row: FakeRow): Buffer {
  const fields = row.map(value => {
    const bytes = Buffer.from(value ?? '');
    return Buffer.concat([int32(value === null ? -1 : bytes.length), bytes]);
  });
  return message('D', int16(row.length), ...fields);
}

export function commandComplete(tag: string): Buffer {
  return message('C', `${tag}\0`);
}

export function readyForQuery(status: 'I' | 'T' | 'E' = 'T'): Buffer {
  return message('Z', status);
}

export function portalSuspended(): Buffer {
  return message('s');
}

export function errorResponse(state: string, text: string): Buffer {
  return message('E', `SERROR\0VERROR\0C${state}\0M${text}\0\0`);
}

export function notice(text: string): Buffer {
  return message('N', `SNOTICE\0VNOTICE\0C00000\0M${text}\0\0`);
}

export function parameterStatus(name: string, value: string): Buffer {
  return message('S', `${name}\0${value}\0`);
}

export function notification(channel: string, payload: string): Buffer {
  return message('A', int32(1), `${channel}\0${payload}\0`);
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function rowDescription(columns: readonly string[], oid = TEXT_OID): Buffer {
  const fields = columns.map(name =>
    // No table; a type of variable length, without modifier, in text format.
    Buffer.concat([Buffer.from(`${name}\0`), int32(0), int16(0), int32(oid), int16(-1), int32(-1), int16(0)]),
  );
  return message('T', int16(columns.length), ...fields);
}
