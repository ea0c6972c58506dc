import type { RecentRun } from '../api-types.ts';
import { clock, inUtc } from '../format.ts';
import { linkTo } from '../route.ts';
import { wordOf } from '../words.ts';
import { toneOf } from './mark.tsx';

const HEIGHT = 26;
const STEP = 7;
const WIDTH = 5;

/** Differences of magnitude are seen, and a run that wrote nothing too. */
function heightOf(value: number, most: number): number {
  return most === 0 ? 3 : 3 + (HEIGHT - 3) * Math.sqrt(value / most);
}

/** The last runs at a glance: height is rows, colour is the outcome. */
export function Sparkline({ recent }: { recent: readonly RecentRun[] }) {
  const runs = recent.slice(-20);
  if (runs.length === 0) return <span class="soft">–</span>;
  const most = Math.max(...runs.map(({ written }) => written));
  const bad = runs.filter(({ state }) => state === 'failed' || state === 'held').length;
  const label = `Last ${runs.length === 1 ? 'run' : `${runs.length} runs`}: ${bad === 0 ? 'none failed' : `${bad} failed or held`}`;
  return (
    <svg class="bars" role="img" aria-label={label} width={20 * STEP} height={HEIGHT}>
      {runs.map(({ run, state, written }, index) => {
        const isBad = toneOf(state) === 'bad' || toneOf(state) === 'ask';
        const height = isBad ? HEIGHT : heightOf(written, most);
        return (
          <rect
            key={run}
            class={`fill-${toneOf(state)}`}
            x={(20 - runs.length + index) * STEP}
            y={HEIGHT - height}
            width={WIDTH}
            height={height}
            rx="1"
          />
        );
      })}
    </svg>
  );
}

export interface Measure {
  readonly name: string;
  readonly of: (run: RecentRun) => number;
  readonly text: (value: number) => string;
}

const CHART_HEIGHT = 72;

/**
 * A bar for each run, each a link to it; the same as a table for who would rather read.
 */
export function Chart({ recent, measure }: { recent: readonly RecentRun[]; measure: Measure }) {
  const most = Math.max(0, ...recent.map(measure.of));
  const latest = recent.at(-1);
  return (
    <figure class="chart">
      <figcaption>
        <span>{measure.name}</span>
        {latest && <strong>{measure.text(measure.of(latest))}</strong>}
      </figcaption>
      <div class="columns">
        {recent.map(run => {
          const value = measure.of(run);
          const isBad = toneOf(run.state) === 'bad' || toneOf(run.state) === 'ask';
          const height = isBad ? CHART_HEIGHT : most === 0 ? 3 : 3 + (CHART_HEIGHT - 3) * (value / most);
          const label = `${clock(run.startedAt, inUtc.value)}: ${isBad ? wordOf(run.state) : measure.text(value)}`;
          return (
            <a key={run.run} href={linkTo('runs', run.run)} title={label}>
              <span class="unseen">{label}</span>
              <svg width="100%" height={CHART_HEIGHT} preserveAspectRatio="none" aria-hidden="true">
                <rect
                  class={`fill-${toneOf(run.state)}`}
                  width="100%"
                  y={CHART_HEIGHT - height}
                  height={height}
                  rx="1"
                />
              </svg>
            </a>
          );
        })}
      </div>
    </figure>
  );
}
