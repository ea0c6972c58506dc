import type pg from 'pg';
import QueryStream from 'pg-query-stream';

const BIND = 0x42;
/** What stands before the length of a message. */
const TYPE_BYTES = 1;

/** A value of a query, as text; `null` is NULL. */
export interface QueryParameter {
  /** Its type. */
  readonly oid: number;
  readonly value: string | null;
}

interface BindingConnection {
  readonly stream: NodeJS.WritableStream;
  parse: (query: { readonly text: string; readonly types?: readonly number[] }) => void;
  bind: (config: { readonly portal: string }) => void;
}

/**
 * A portal whose columns come in binary each where it is asked for; the driver itself
 * asks for all of them or none. Parameters have the types that they were declared with,
 * which the driver leaves to the server to guess.
 */
export class ResultPortal extends QueryStream {
  readonly #isBinary: readonly boolean[];
  readonly #parameters: readonly QueryParameter[];

  constructor(text: string, isBinary: readonly boolean[], parameters: readonly QueryParameter[] = []) {
    super(text, [], { rowMode: 'array' });
    this.#isBinary = isBinary;
    this.#parameters = parameters;
  }

  override submit(connection: pg.Connection): void {
    const binding = connection as unknown as BindingConnection;
    const parameters = this.#parameters;
    if (parameters.length > 0) {
      const { parse } = binding;
      const types = parameters.map(({ oid }) => oid);
      binding.parse = query => parse.call(binding, { ...query, types });
    }
    if (this.#isBinary.includes(true) || parameters.length > 0)
      binding.bind = ({ portal }) =>
        void binding.stream.write(bindMessage(portal, this.#isBinary, parameters));
    super.submit(connection);
    // The driver's own again, which the prototype has.
    delete (binding as Partial<BindingConnection>).parse;
    delete (binding as Partial<BindingConnection>).bind;
  }
}

/** Bind of the unnamed statement (protocol 3.0, "Message Formats"); values go as text. */
function bindMessage(
  portal: string,
  isBinary: readonly boolean[],
  parameters: readonly QueryParameter[],
): Buffer {
  const formats = Buffer.alloc(2 + 2 * isBinary.length);
  formats.writeUInt16BE(isBinary.length);
  for (const [index, binary] of isBinary.entries()) formats.writeUInt16BE(Number(binary), 2 + 2 * index);
  // Names end with a zero; without formats of parameters all are texts.
  const head = Buffer.concat([Buffer.from(`${portal}\0\0`), Buffer.alloc(2)]);
  const body = Buffer.concat([head, ...valuesMessage(parameters), formats]);
  const message = Buffer.alloc(TYPE_BYTES + 4 + body.length);
  message.writeUInt8(BIND);
  message.writeUInt32BE(4 + body.length, TYPE_BYTES);
  body.copy(message, TYPE_BYTES + 4);
  return message;
}

/** How many values, then each with its length, which is -1 for NULL. */
function valuesMessage(parameters: readonly QueryParameter[]): Buffer[] {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(parameters.length);
  return [
    count,
    ...parameters.flatMap(({ value }) => {
      const bytes = Buffer.from(value ?? '');
      const length = Buffer.alloc(4);
      length.writeInt32BE(value === null ? -1 : bytes.length);
      return [length, bytes];
    }),
  ];
}
