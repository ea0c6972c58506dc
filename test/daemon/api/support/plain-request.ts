import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

export interface PlainAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** With headers that `fetch` sets by itself, and the body as it came. */
export async function send(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<PlainAnswer> {
  const asked = request({ port, method, path, headers, host: '127.0.0.1' });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks) };
}
