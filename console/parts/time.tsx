import { ago, clock, inUtc, now, otherClock } from '../format.ts';

/** An instant: when, and how long ago that is. */
export function Time({ at, plain = false }: { at: string; plain?: boolean }) {
  return (
    <time dateTime={at} title={otherClock(at, inUtc.value)}>
      {clock(at, inUtc.value, plain)}
      {!plain && <span class="soft"> {ago(at, now.value)}</span>}
    </time>
  );
}
