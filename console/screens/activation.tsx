import { question, resumeActivation } from '../actions.ts';
import { addressOf, call } from '../api.ts';
import type { Activation, ActivationConfiguration } from '../api-types.ts';
import { bytes, count, inUtc, now, rows, span } from '../format.ts';
import { activations, failure, mayPreview, mayWrite, me } from '../live.ts';
import { Chart, type Measure } from '../parts/bars.tsx';
import { Configured } from '../parts/configured.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Check, Rows } from '../parts/look-before.tsx';
import { Mark } from '../parts/mark.tsx';
import { Empty, Loading, Problem } from '../parts/problem.tsx';
import { Time } from '../parts/time.tsx';
import { linkTo } from '../route.ts';
import { standingOf } from '../standing.ts';
import { changesOf, situationOf, titleOf } from '../words.ts';

const MEASURES: readonly Measure[] = [
  { name: 'Rows written', of: ({ written }) => written, text: rows },
  { name: 'Bytes', of: run => run.bytes, text: bytes },
  { name: 'Duration', of: ({ seconds = 0 }) => seconds, text: span },
];

export function ActivationPage({ name }: { name: string }) {
  const all = activations.value;
  if (all === undefined) return failure.value ? null : <Loading />;
  const activation = all.find(known => known.name === name);
  if (activation === undefined) {
    return (
      <Empty title={`There is no activation ${name}`}>
        <p>
          The configuration does not have it{me.value?.activations && ', or your token does not show it'}.
          Runs that it made are kept for a while.
        </p>
        <a class="button" href={`#/runs?activation=${encodeURIComponent(name)}`}>
          Its runs
        </a>
      </Empty>
    );
  }
  return <Known activation={activation} key={name} />;
}

function Known({ activation }: { activation: Activation }) {
  const { name, lastRun, paused, running, recent, warnings } = activation;
  const standing = standingOf(activation);
  const { value: configuration, error } = useLoaded(
    signal => call<ActivationConfiguration>(addressOf(name, 'configuration'), { signal }),
    [name, activation.nextRunAt],
  );
  return (
    <>
      <header class="page">
        <p class="path">
          <a href="#/">Activations</a>
        </p>
        <h1>{name}</h1>
        <Mark shown={standing} />
        <div class="buttons">
          {mayWrite.value && !paused && (
            <button
              type="button"
              class="primary"
              data-key="r"
              onClick={() => (question.value = { kind: 'run', activation: name })}
            >
              Run now
            </button>
          )}
          {mayWrite.value &&
            (paused ? (
              <button type="button" class="primary" data-key="p" onClick={() => void resumeActivation(name)}>
                Resume
              </button>
            ) : (
              <button
                type="button"
                data-key="p"
                onClick={() => (question.value = { kind: 'pause', activation: name })}
              >
                Pause
              </button>
            ))}
        </div>
      </header>
      <p class="lead">{situationOf(activation, now.value, inUtc.value)}</p>
      {running !== undefined && (
        <p>
          <a class="button" href={linkTo('runs', running)}>
            Follow the run under way
          </a>
        </p>
      )}
      {lastRun?.state === 'failed' && lastRun.error && (
        <Problem error={lastRun.error} title="Why the last run failed">
          <a class="button" href={linkTo('runs', lastRun.run)}>
            See the run
          </a>
        </Problem>
      )}
      {lastRun?.state === 'held' && (
        <p>
          <a class="button primary" href={linkTo('runs', lastRun.run)}>
            See what is held
          </a>
        </p>
      )}
      {warnings.length > 0 && (
        <section>
          <h2>Warnings that hold</h2>
          <ul class="plain">
            {warnings.map(({ code, message, since, run }) => (
              <li key={code}>
                <strong>{titleOf(code)}</strong> <span class="soft">since</span> <Time at={since} />
                {run !== undefined && (
                  <>
                    {' '}
                    · <a href={linkTo('runs', run)}>the run</a>
                  </>
                )}
                <br />
                {message}
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <div class="bar">
          <h2>Last {recent.length > 1 ? `${recent.length} runs` : 'run'}</h2>
          <a href={`#/runs?activation=${encodeURIComponent(name)}`}>All runs</a>
        </div>
        {recent.length === 0 ? (
          <p class="soft">
            It never ran. “Check” below says whether a run would work, and which files it would write.
          </p>
        ) : (
          <>
            <div class="charts">
              {MEASURES.map(measure => (
                <Chart key={measure.name} recent={recent} measure={measure} />
              ))}
            </div>
            <RecentTable activation={activation} />
          </>
        )}
      </section>
      <section>
        <h2>What it exports</h2>
        {error && <Problem error={error} title="The configuration is not shown" />}
        {configuration ? (
          <Configured activation={activation} configuration={configuration} />
        ) : (
          !error && <Loading lines={4} />
        )}
      </section>
      <section>
        <h2>Look before running</h2>
        <Check name={name} />
        {mayPreview.value && <Rows name={name} />}
      </section>
    </>
  );
}

function RecentTable({ activation }: { activation: Activation }) {
  return (
    <details>
      <summary>As a table</summary>
      <div class="scroll">
        <table class="list">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Begun</th>
              <th scope="col">Changes</th>
              <th scope="col" class="number">
                Written
              </th>
              <th scope="col" class="number">
                Bytes
              </th>
              <th scope="col" class="number">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {activation.recent.toReversed().map(run => (
              <tr key={run.run}>
                <td>
                  <Mark shown={run.state} />
                </td>
                <td>
                  <a href={linkTo('runs', run.run)}>
                    <Time at={run.startedAt} />
                  </a>
                </td>
                <td data-label="Changes">{changesOf(run)}</td>
                <td class="number" data-label="Written">
                  {count(run.written)}
                </td>
                <td class="number" data-label="Bytes">
                  {bytes(run.bytes)}
                </td>
                <td class="number" data-label="Took">
                  {run.seconds === undefined ? '–' : span(run.seconds)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
