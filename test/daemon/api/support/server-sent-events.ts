import assert from 'node:assert/strict';
import { soon } from './soon.ts';

export interface ServerSentEvent {
  readonly event: string;
  readonly id: string;
  readonly data: Record<string, unknown>;
}

/**
 * An independent reader of server-sent events: fields by line, an event at each empty
 * line, comments left out.
 */
export async function* eventsOf(response: Response): AsyncGenerator<ServerSentEvent> {
  let rest = '';
  const chunks = response.body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await soon(chunks.next(), 'the stream goes on or ends');
    if (done) break;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const fields = new Map(
        block
          .split('\n')
          .map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
      );
      const data = fields.get('data');
      if (data === undefined) continue;
      yield {
        event: fields.get('event')!,
        id: fields.get('id')!,
        data: JSON.parse(data) as Record<string, unknown>,
      };
    }
  }
  assert.equal(rest, '', 'the stream ended within an event');
}
