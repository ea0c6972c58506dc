import type { Shown } from '../standing.ts';
import { wordOf } from '../words.ts';

type Tone = 'good' | 'bad' | 'ask' | 'warn' | 'busy' | 'calm';

const TONES: Readonly<Record<Shown, Tone>> = {
  failing: 'bad',
  failed: 'bad',
  held: 'ask',
  warned: 'warn',
  paused: 'calm',
  running: 'busy',
  reading: 'busy',
  publishing: 'busy',
  waiting: 'calm',
  queued: 'calm',
  new: 'calm',
  cancelled: 'calm',
  fine: 'good',
  succeeded: 'good',
  recovered: 'good',
};

export const toneOf = (shown: Shown): Tone => TONES[shown];

/** A shape of its own for each tone: colour is never all that tells states apart. */
function Shape({ shown }: { shown: Shown }) {
  switch (shown) {
    case 'failing':
    case 'failed':
      return (
        <path
          d="M3.500 3.500l7 7m0-7l-7 7"
          stroke="currentColor"
          stroke-width="2.200"
          stroke-linecap="round"
        />
      );
    case 'held':
      return <path d="M7 1.500L12.500 7 7 12.500 1.500 7z" fill="currentColor" />;
    case 'warned':
      return <path d="M7 2l5.500 10h-11z" fill="currentColor" />;
    case 'paused':
      return <path d="M4.500 3v8m5-8v8" stroke="currentColor" stroke-width="2.400" stroke-linecap="round" />;
    case 'running':
    case 'reading':
    case 'publishing':
      return (
        <g fill="none" stroke="currentColor" stroke-width="2.200" stroke-linecap="round">
          <circle cx="7" cy="7" r="5" opacity=".3" />
          <path class="spin" d="M7 2a5 5 0 0 1 5 5" />
        </g>
      );
    case 'waiting':
    case 'queued':
      return (
        <circle
          cx="7"
          cy="7"
          r="4.500"
          fill="none"
          stroke="currentColor"
          stroke-width="2"
          stroke-dasharray="2.400 2.400"
        />
      );
    case 'new':
      return <circle cx="7" cy="7" r="4.500" fill="none" stroke="currentColor" stroke-width="2" />;
    case 'cancelled':
      return <path d="M3 7h8" stroke="currentColor" stroke-width="2.400" stroke-linecap="round" />;
    default:
      return (
        <path
          d="M2.800 7.400l2.900 2.900 5.500-6"
          fill="none"
          stroke="currentColor"
          stroke-width="2.200"
          stroke-linecap="round"
          stroke-linejoin="round"
        />
      );
  }
}

/** A state: its shape and its word. */
export function Mark({ shown, word = true }: { shown: Shown; word?: boolean }) {
  return (
    <span class={`mark tone-${toneOf(shown)}`}>
      <svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">
        <Shape shown={shown} />
      </svg>
      {word ? <span>{wordOf(shown)}</span> : <span class="unseen">{wordOf(shown)}</span>}
    </span>
  );
}
