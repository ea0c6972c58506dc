import { resumeActivation, runNow } from '../actions.ts';
import type { Activation } from '../api-types.ts';
import { ago, bytes, clock, count, inUtc, now, second, span } from '../format.ts';
import { activations, changedRuns, failure, mayWrite, progress } from '../live.ts';
import { ActivationTable } from '../parts/activation-table.tsx';
import { Mark } from '../parts/mark.tsx';
import { Empty, Loading } from '../parts/problem.tsx';
import { linkTo } from '../route.ts';
import { byNeed, isProblem, standingOf } from '../standing.ts';
import { capital, secondsOf, situationOf } from '../words.ts';

const SHOWN_NEEDS = 6;

/**
 * What is wrong, what needs somebody, what runs, what happened last, what happens next.
 */
export function Overview() {
  const all = activations.value;
  if (all === undefined) return failure.value ? null : <Loading lines={8} />;
  if (all.length === 0) return <NoActivation />;
  const needy = all.filter(activation => isProblem(standingOf(activation))).sort(byNeed);
  const running = all.filter(activation => activation.running !== undefined);
  return (
    <>
      <h1 class="unseen">Activations</h1>
      <Summary all={all} />
      {needy.length > 0 && (
        <section aria-labelledby="needs">
          <h2 id="needs">Needs you</h2>
          <ul class="needs">
            {needy.slice(0, SHOWN_NEEDS).map(activation => (
              <Need key={activation.name} activation={activation} />
            ))}
          </ul>
          {needy.length > SHOWN_NEEDS && (
            <p class="soft">{needy.length - SHOWN_NEEDS} more are in the table below.</p>
          )}
        </section>
      )}
      {running.length > 0 && (
        <section aria-labelledby="running">
          <h2 id="running">Runs now</h2>
          <ul class="running">
            {running.map(activation => (
              <Running key={activation.name} activation={activation} />
            ))}
          </ul>
        </section>
      )}
      <ActivationTable all={all} />
    </>
  );
}

function Summary({ all }: { all: readonly Activation[] }) {
  const next = all
    .filter(({ nextRunAt }) => nextRunAt !== undefined)
    .sort((a, b) => (a.nextRunAt! < b.nextRunAt! ? -1 : 1))[0];
  const wrong = all.filter(activation => isProblem(standingOf(activation))).length;
  return (
    <p class="summary">
      <strong>
        {wrong === 0
          ? 'Nothing needs you.'
          : wrong === 1
            ? 'One activation needs you.'
            : `${count(wrong)} activations need you.`}
      </strong>{' '}
      <span class="soft">
        {next?.nextRunAt === undefined
          ? 'No run is scheduled.'
          : `Next: ${next.name} ${ago(next.nextRunAt, now.value)}, at ${clock(next.nextRunAt, inUtc.value)}.`}
      </span>
    </p>
  );
}

function Need({ activation }: { activation: Activation }) {
  const { name, lastRun, paused, warnings } = activation;
  const standing = standingOf(activation);
  const hint = standing === 'failing' ? lastRun?.error?.hint : undefined;
  const [warning] = warnings;
  return (
    <li class={`need need-${standing}`}>
      <div class="need-head">
        <Mark shown={standing} />
        <a href={linkTo('activations', name)}>{name}</a>
      </div>
      <p>
        {standing === 'warned' && warning
          ? capital(warning.message)
          : situationOf(activation, now.value, inUtc.value)}
      </p>
      {hint !== undefined && (
        <p class="soft">
          <strong>What to do:</strong> {hint}
        </p>
      )}
      <div class="buttons">
        {lastRun && (standing === 'failing' || standing === 'held') && (
          <a class={standing === 'held' ? 'button primary' : 'button'} href={linkTo('runs', lastRun.run)}>
            {standing === 'held' ? 'Look and decide' : 'See the run'}
          </a>
        )}
        {standing === 'warned' && (
          <a class="button" href="#/warnings">
            See warnings
          </a>
        )}
        {mayWrite.value && paused && (
          <button type="button" onClick={() => void resumeActivation(name)}>
            Resume
          </button>
        )}
        {mayWrite.value && standing === 'failing' && !paused && activation.running === undefined && (
          <button type="button" onClick={() => void runNow(name)}>
            Run again
          </button>
        )}
      </div>
    </li>
  );
}

function Running({ activation }: { activation: Activation }) {
  const id = activation.running!;
  const run = changedRuns.value.get(id);
  const told = progress.value.get(id);
  const before = activation.recent.at(-1);
  return (
    <li>
      <Mark shown={run?.state ?? 'running'} />
      <a href={linkTo('runs', id)}>{activation.name}</a>
      <span class="numbers">
        {told ? `${count(told.rowsRead)} rows read, ${bytes(told.bytesStaged)} staged` : 'begins'}
        {told?.rowsPerSecond !== undefined &&
          told.rowsPerSecond > 0 &&
          ` · ${count(told.rowsPerSecond)} rows/s`}
        {run && ` · ${span(secondsOf(run, second.value))}`}
        {before?.seconds !== undefined && (
          <span class="soft"> (the last one took {span(before.seconds)})</span>
        )}
      </span>
    </li>
  );
}

const EXAMPLE = `version: 1
sources: { db: { type: postgres, url: "\${DATABASE_URL}" } }
destinations: { lake: { type: azure-blob, accountUrl: https://acme.blob.core.windows.net, container: exports, auth: { sasToken: "\${SAS}" } } }
models: { customers: { source: db, sql: select * from customers, primaryKey: [id] } }
activations: { customers: { model: customers, destination: lake, fileName: "{YYYY}/{MM}/customers", format: { type: csv } } }`;

function NoActivation() {
  return (
    <Empty title="No activation yet">
      <p>
        An activation says which rows are exported, where to, and when. <code>sluice init</code> writes a
        commented <code>sluice.yaml</code> to start from; the least that works is:
      </p>
      <pre>{EXAMPLE}</pre>
      <p>
        Then let the daemon read it: <code>POST /v1/reload</code>, SIGHUP, or <a href="#/daemon">Daemon</a>,
        Reload.
      </p>
    </Empty>
  );
}
