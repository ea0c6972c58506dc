import { useEffect, useState } from 'preact/hooks';
import { RUN_STATES } from '../../src/history/run-state.ts';
import { type ApiError, call, toApiError } from '../api.ts';
import type { ListedRun, RunPage } from '../api-types.ts';
import { bytes, now, span } from '../format.ts';
import { activations, changedRuns, connection } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { Empty, Loading, Problem } from '../parts/problem.tsx';
import { Time } from '../parts/time.tsx';
import { go, linkTo, place, withQuery } from '../route.ts';
import { changesOf, heldMessage, secondsOf, triggerWords, wordOf } from '../words.ts';

const PAGE = 50;

/** What happened, the newest first. */
export function RunsPage() {
  const { query } = place.value;
  const activation = query.get('activation') ?? '';
  const state = query.get('state') ?? '';
  const [runs, setRuns] = useState<readonly ListedRun[]>();
  const [next, setNext] = useState<string>();
  const [error, setError] = useState<ApiError>();

  const load = async (before: string | undefined, signal?: AbortSignal): Promise<void> => {
    const asked = new URLSearchParams({ limit: String(PAGE) });
    if (activation !== '') asked.set('activation', activation);
    if (state !== '') asked.set('state', state);
    if (before !== undefined) asked.set('before', before);
    try {
      const page = await call<RunPage>(`v1/runs?${asked}`, signal ? { signal } : {});
      setRuns(known => (before === undefined ? page.runs : [...(known ?? []), ...page.runs]));
      setNext(page.next);
      setError(undefined);
    } catch (cause) {
      if (!signal?.aborted) setError(toApiError(cause));
    }
  };
  useEffect(() => {
    const stop = new AbortController();
    setRuns(undefined);
    void load(undefined, stop.signal);
    return () => stop.abort();
  }, [activation, state, connection.value === 'live']);

  const shown = merged(runs, activation, state);
  return (
    <>
      <header class="page">
        <h1>Runs</h1>
      </header>
      <div class="bar filters">
        <label>
          <span>Activation</span>
          <select
            value={activation}
            onChange={event => go(withQuery({ activation: event.currentTarget.value }))}
          >
            <option value="">all</option>
            {activation !== '' && !activations.value?.some(({ name }) => name === activation) && (
              <option value={activation}>{activation}</option>
            )}
            {activations.value?.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>State</span>
          <select
            data-filter
            value={state}
            onChange={event => go(withQuery({ state: event.currentTarget.value }))}
          >
            <option value="">all</option>
            {RUN_STATES.map(name => (
              <option key={name} value={name}>
                {wordOf(name)}
              </option>
            ))}
          </select>
        </label>
      </div>
      {error && (
        <Problem error={error} title="Runs are not shown as they are now">
          <button type="button" onClick={() => void load(undefined)}>
            Try again
          </button>
        </Problem>
      )}
      {shown === undefined ? (
        !error && <Loading lines={10} />
      ) : shown.length === 0 ? (
        <Empty title={activation === '' && state === '' ? 'No run yet' : 'No run fits'}>
          {(activation !== '' || state !== '') && (
            <a class="button" href="#/runs">
              Show all
            </a>
          )}
        </Empty>
      ) : (
        <div class="scroll">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">State</th>
                <th scope="col">Activation</th>
                <th scope="col">Begun</th>
                <th scope="col" class="number">
                  Took
                </th>
                <th scope="col">What came of it</th>
                <th scope="col" class="number">
                  Bytes
                </th>
                <th scope="col">Asked for by</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(run => (
                <tr key={run.run} data-row>
                  <td>
                    <Mark shown={run.state} />
                  </td>
                  <td class="name">
                    <a href={linkTo('runs', run.run)}>{run.activation}</a>
                  </td>
                  <td data-label="Begun">
                    <Time at={run.startedAt} />
                  </td>
                  <td class="number" data-label="Took">
                    {run.state === 'queued' ? '–' : span(secondsOf(run, now.value))}
                  </td>
                  <td class="outcome" data-label="What came of it">
                    <Outcome run={run} />
                  </td>
                  <td class="number" data-label="Bytes">
                    {run.counts.bytes === 0 ? '–' : bytes(run.counts.bytes)}
                  </td>
                  <td data-label="Asked for by">{triggerWords(run.trigger)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {next !== undefined && (
        <p>
          <button type="button" onClick={() => void load(next)}>
            Older runs
          </button>
        </p>
      )}
    </>
  );
}

function Outcome({ run }: { run: ListedRun }) {
  switch (run.state) {
    case 'succeeded':
    case 'recovered':
      return (
        <>
          {changesOf(run.counts)}
          {run.warnings.length > 0 && (
            <span class="soft">
              {' '}
              · {run.warnings.length === 1 ? 'one warning' : `${run.warnings.length} warnings`}
            </span>
          )}
        </>
      );
    case 'held':
      return <>{heldMessage(run)}</>;
    default:
      return <>{run.error?.message ?? '–'}</>;
  }
}

/** With what has happened since the page was asked for. */
function merged(
  runs: readonly ListedRun[] | undefined,
  activation: string,
  state: string,
): readonly ListedRun[] | undefined {
  if (runs === undefined) return undefined;
  const changed = changedRuns.value;
  const known = new Map(runs.map(run => [run.run, run]));
  const newest = runs[0]?.run ?? '';
  for (const [id, run] of changed) if (known.has(id) || id > newest) known.set(id, run);
  return [...known.values()]
    .filter(
      run => (activation === '' || run.activation === activation) && (state === '' || run.state === state),
    )
    .sort((a, b) => (a.run < b.run ? 1 : -1));
}
