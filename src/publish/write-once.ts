import type { Clock } from '../clock.ts';
import { SluiceError } from '../errors.ts';
import type { WriteOutcome } from '../sinks/sink.ts';
import { isFinalRefusal, type Refusal } from './refused-commit.ts';

/** How often an unanswered write is repeated before the next start continues. */
const MAX_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 10_000;

export interface WriteOptions {
  /** Another process may have published some of it: look before each write. */
  readonly looksFirst: boolean;
}

export type Written =
  | { readonly etag: string; readonly refusal?: undefined }
  | { readonly etag?: undefined; readonly refusal: Refusal };

/**
 * Sends a conditional write until it is known to have happened or to be refused. Whatever
 * the answer, the blob is looked at before the write is sent again, and it is sent with
 * the same precondition: a delayed first request can never take effect a second time.
 */
export async function writeOnce(
  attempt: () => Promise<WriteOutcome>,
  isOurs: () => Promise<string | undefined>,
  { clock, name, looksFirst }: { readonly clock: Clock; readonly name: string } & WriteOptions,
): Promise<Written> {
  const there = looksFirst ? await isOurs() : undefined;
  if (there !== undefined) return { etag: there };
  for (let attempts = 1; ; attempts++) {
    let outcome: WriteOutcome;
    try {
      outcome = await attempt();
    } catch (error) {
      // An attempt before this one may have taken effect.
      const etag = isFinalRefusal(error) ? await isOurs().catch(() => undefined) : undefined;
      if (etag !== undefined) return { etag };
      throw error;
    }
    if (outcome.outcome === 'written') return { etag: outcome.etag };
    const etag = await isOurs();
    if (etag !== undefined) return { etag };
    if (outcome.outcome === 'refused') return { refusal: outcome };
    if (attempts === MAX_ATTEMPTS) {
      const message = `publishing ${name} was not answered ${attempts} times: ${outcome.message}`;
      throw new SluiceError('DESTINATION_TIMEOUT', message, {
        stage: 'destination',
        hint: 'the run is decided; the next start finishes it',
      });
    }
    await clock.sleep(Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1)));
  }
}
