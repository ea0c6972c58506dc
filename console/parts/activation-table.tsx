import { signal } from '@preact/signals';
import { question, resumeActivation } from '../actions.ts';
import type { Activation } from '../api-types.ts';
import { now, span } from '../format.ts';
import { mayWrite } from '../live.ts';
import { go, linkTo, place, withQuery } from '../route.ts';
import { byNeed, STANDINGS, type Standing, standingHint, standingOf } from '../standing.ts';
import { changesOf, secondsOf, wordOf } from '../words.ts';
import { Sparkline } from './bars.tsx';
import { Mark } from './mark.tsx';
import { Empty } from './problem.tsx';
import { Time } from './time.tsx';

const filter = signal('');

function fits({ name, model, segment, destination }: Activation, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/);
  const all = `${name} ${model} ${segment ?? ''} ${destination}`.toLowerCase();
  return words.every(word => all.includes(word));
}

/** Every activation, who needs somebody most first. */
export function ActivationTable({ all }: { all: readonly Activation[] }) {
  const chosen = place.value.query.get('state');
  const shown = all
    .filter(activation => chosen === null || standingOf(activation) === chosen)
    .filter(activation => fits(activation, filter.value))
    .sort(byNeed);
  return (
    <section aria-labelledby="all">
      <div class="bar">
        <h2 id="all">All activations</h2>
        <Filters all={all} chosen={chosen} />
        <input
          data-filter
          type="search"
          placeholder="Filter by name"
          aria-label="Filter by name"
          value={filter}
          onInput={event => {
            filter.value = event.currentTarget.value;
          }}
        />
      </div>
      {shown.length === 0 ? (
        <Empty title="No activation fits">
          <button
            type="button"
            onClick={() => {
              filter.value = '';
              go('#/');
            }}
          >
            Show all
          </button>
        </Empty>
      ) : (
        <div class="scroll">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">State</th>
                <th scope="col">Activation</th>
                <th scope="col">Last run</th>
                <th scope="col" class="wide">
                  Last 20 runs
                </th>
                <th scope="col">Next run</th>
                <th scope="col">
                  <span class="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map(activation => (
                <Row key={activation.name} activation={activation} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Filters({ all, chosen }: { all: readonly Activation[]; chosen: string | null }) {
  const counts = new Map<Standing, number>();
  for (const activation of all) {
    const standing = standingOf(activation);
    counts.set(standing, (counts.get(standing) ?? 0) + 1);
  }
  return (
    <nav class="chips" aria-label="Filter by state">
      <a class="chip" href={withQuery({ state: '' })} aria-current={chosen === null ? 'true' : undefined}>
        all {all.length}
      </a>
      {STANDINGS.filter(standing => counts.has(standing)).map(standing => (
        <a
          key={standing}
          class="chip"
          title={standingHint(standing)}
          href={withQuery({ state: chosen === standing ? '' : standing })}
          aria-current={chosen === standing ? 'true' : undefined}
        >
          <Mark shown={standing} word={false} />
          {wordOf(standing)} {counts.get(standing)}
        </a>
      ))}
    </nav>
  );
}

function Row({ activation }: { activation: Activation }) {
  const { name, model, segment, destination, format, syncMode, lastRun, recent, nextRunAt, paused, running } =
    activation;
  return (
    <tr data-row>
      <td>
        <Mark shown={standingOf(activation)} />
      </td>
      <td class="name">
        <a href={linkTo('activations', name)}>{name}</a>
        <div class="soft">
          {segment ?? model} → {destination} · {format}, {syncMode}
        </div>
      </td>
      <td data-label="Last run">
        {lastRun ? (
          <>
            <a href={linkTo('runs', lastRun.run)}>
              <Time at={lastRun.endedAt ?? lastRun.startedAt} />
            </a>
            <div class="soft">
              {lastRun.state === 'succeeded' || lastRun.state === 'recovered'
                ? `${changesOf(lastRun.counts)} · ${span(secondsOf(lastRun, now.value))}`
                : wordOf(lastRun.state)}
            </div>
          </>
        ) : (
          <span class="soft">never</span>
        )}
      </td>
      <td class="wide" data-label="Last 20 runs">
        <Sparkline recent={recent} />
      </td>
      <td data-label="Next run">
        {paused ? (
          <span class="soft">when resumed</span>
        ) : nextRunAt === undefined ? (
          <span class="soft">when asked for</span>
        ) : (
          <Time at={nextRunAt} />
        )}
      </td>
      <td class="actions">
        {mayWrite.value && !paused && running === undefined && (
          <button
            type="button"
            data-key="r"
            aria-label={`Run ${name}`}
            onClick={() => (question.value = { kind: 'run', activation: name })}
          >
            Run
          </button>
        )}
        {mayWrite.value &&
          (paused ? (
            <button
              type="button"
              data-key="p"
              aria-label={`Resume ${name}`}
              onClick={() => void resumeActivation(name)}
            >
              Resume
            </button>
          ) : (
            <button
              type="button"
              class="quiet"
              data-key="p"
              aria-label={`Pause ${name}`}
              onClick={() => (question.value = { kind: 'pause', activation: name })}
            >
              Pause
            </button>
          ))}
      </td>
    </tr>
  );
}
