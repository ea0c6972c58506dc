import type pg from 'pg';
import QueryStream from 'pg-query-stream';

const BIND = 0x42;
/** What stands before the length of a message. */
const TYPE_BYTES = 1;

interface BindingConnection {
  readonly stream: NodeJS.WritableStream;
  bind?: (config: { readonly portal: string }) => void;
}

/**
 * A portal whose columns come in binary each where it is asked for; the driver itself
 * asks for all of them or none.
 */
export class ResultPortal extends QueryStream {
  readonly #isBinary: readonly boolean[];

  constructor(text: string, isBinary: readonly boolean[]) {
    super(text, [], { rowMode: 'array' });
    this.#isBinary = isBinary;
  }

  override submit(connection: pg.Connection): void {
    const binding = connection as unknown as BindingConnection;
    if (this.#isBinary.includes(true))
      binding.bind = ({ portal }) => void binding.stream.write(bindMessage(portal, this.#isBinary));
    super.submit(connection);
    // The driver's own again, which the prototype has.
    delete binding.bind;
  }
}

/** Bind of the unnamed statement without parameters (protocol 3.0, "Message Formats"). */
function bindMessage(portal: string, isBinary: readonly boolean[]): Buffer {
  const formats = Buffer.alloc(2 + 2 * isBinary.length);
  formats.writeUInt16BE(isBinary.length);
  for (const [index, binary] of isBinary.entries()) formats.writeUInt16BE(Number(binary), 2 + 2 * index);
  // Names end with a zero; neither formats nor values of parameters.
  const body = Buffer.concat([Buffer.from(`${portal}\0\0`), Buffer.alloc(4), formats]);
  const message = Buffer.alloc(TYPE_BYTES + 4 + body.length);
  message.writeUInt8(BIND);
  message.writeUInt32BE(4 + body.length, TYPE_BYTES);
  body.copy(message, TYPE_BYTES + 4);
  return message;
}
