import { useEffect, useState } from 'preact/hooks';
import { hasEnded } from '../../src/history/run-state.ts';
import { question } from '../actions.ts';
import { type ApiError, eventsOf, request, toApiError } from '../api.ts';
import type { RunProgress, RunRecord } from '../api-types.ts';
import { now, rows, second, span } from '../format.ts';
import { activations, mayPreview, mayWrite, takeProgress } from '../live.ts';
import { announce } from '../parts/announce.tsx';
import { Mark } from '../parts/mark.tsx';
import { Empty, Loading, Problem } from '../parts/problem.tsx';
import { Counts, Facts, Files, Live } from '../parts/run-details.tsx';
import { Sample } from '../parts/sample.tsx';
import { Time } from '../parts/time.tsx';
import { linkTo } from '../route.ts';
import { capital, heldMessage, outcomeOf, releaseWords, titleOf } from '../words.ts';

const RETRY_MS = 3000;

/** The run as its own stream of events tells it, up to its end. */
function useRun(id: string): { run: RunRecord | undefined; error: ApiError | undefined } {
  const [run, setRun] = useState<RunRecord>();
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    const stop = new AbortController();
    const follow = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          const stream = await request(`v1/runs/${encodeURIComponent(id)}/events`, { signal: stop.signal });
          for await (const { name, data } of eventsOf(stream)) {
            setError(undefined);
            if (name === 'progress') takeProgress(data as RunProgress & { run: string });
            else setRun(data as RunRecord);
            if (name === 'state' && hasEnded(data as RunRecord)) return;
          }
        } catch (cause) {
          if (stop.signal.aborted) return;
          const failed = toApiError(cause);
          setError(failed);
          if (failed.status >= 400 && failed.status < 500 && failed.status !== 429) return;
        }
        await new Promise(resolve => setTimeout(resolve, RETRY_MS));
      }
    };
    void follow();
    return () => stop.abort();
  }, [id]);
  useEffect(() => {
    if (run) announce(`${run.activation}: the run is ${run.state}`);
  }, [run?.state]);
  return { run, error };
}

export function RunPage({ id }: { id: string }) {
  const { run, error } = useRun(id);
  if (error?.code === 'RUN_UNKNOWN' || error?.code === 'REQUEST_INVALID') {
    return (
      <Empty title="There is no such run">
        <p>
          <code>{id}</code> is not in the history. Runs are kept for a while, as <code>daemon.history</code>{' '}
          says.
        </p>
        <a class="button" href="#/runs">
          All runs
        </a>
      </Empty>
    );
  }
  if (run === undefined) return error ? <Problem error={error} title="The run is not shown" /> : <Loading />;
  return (
    <>
      {error && <Problem error={error} title="What is shown may be old" />}
      <Told run={run} />
    </>
  );
}

function Told({ run }: { run: RunRecord }) {
  const { activation, warnings, files, attempts = [] } = run;
  const others = warnings.filter(({ code }) => code !== 'HELD');
  const isOver = hasEnded(run);
  return (
    <>
      <header class="page">
        <p class="path">
          <a href="#/">Activations</a> / <a href={linkTo('activations', activation)}>{activation}</a>
        </p>
        <h1>
          Run of {activation} <span class="soft id">{run.run}</span>
        </h1>
        <Mark shown={run.state} />
        <div class="buttons">
          {mayWrite.value && !isOver && (
            <button
              type="button"
              class="dangerous"
              onClick={() => (question.value = { kind: 'cancel', run })}
            >
              Stop
            </button>
          )}
          {mayWrite.value && isOver && run.state !== 'held' && (
            <button type="button" data-key="r" onClick={() => (question.value = { kind: 'run', activation })}>
              Run again
            </button>
          )}
        </div>
      </header>
      <p class="lead">{outcomeOf(run, isOver ? now.value : second.value)}</p>
      {run.state === 'held' && <HeldCard run={run} />}
      {run.error && run.state !== 'held' && (
        <Problem
          error={run.error}
          title={run.state === 'failed' ? 'Why it failed' : 'Why the last attempt came to nothing'}
        />
      )}
      {run.state === 'queued' && <Queue run={run} />}
      {!isOver && run.state !== 'queued' && <Live run={run} />}
      {isOver && <Counts run={run} />}
      {run.state === 'held' && mayPreview.value && <Sample run={run} />}
      {others.length > 0 && (
        <section>
          <h2>Warnings</h2>
          <ul class="plain">
            {others.map(({ code, message }) => (
              <li key={code + message}>
                <Mark shown="warned" word={false} /> <strong>{titleOf(code)}</strong> {message}
              </li>
            ))}
          </ul>
        </section>
      )}
      {files.length > 0 && <Files files={files} run={run} />}
      {attempts.length > 0 && (
        <section>
          <h2>Earlier attempts</h2>
          <ul class="plain">
            {attempts.map(({ startedAt, endedAt, error }) => (
              <li key={startedAt}>
                <Mark shown="failed" word={false} /> <Time at={startedAt} />{' '}
                <span class="soft">for {span((Date.parse(endedAt) - Date.parse(startedAt)) / 1000)}</span>
                <br />
                {error.message} <code>{error.code}</code>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Facts run={run} />
      <details>
        <summary>The record as JSON</summary>
        <pre>{JSON.stringify(run, null, 2)}</pre>
      </details>
    </>
  );
}

function HeldCard({ run }: { run: RunRecord }) {
  const { removed, read } = run.counts;
  return (
    <section class="problem held" aria-label="Why it is held">
      <h3>{capital(heldMessage(run))}</h3>
      {run.reason === 'REMOVALS_OVER' && (
        <p>
          The source has {rows(read)}. Allowed, the run would report {rows(removed)} as removed, and receivers
          would delete them. If that is not what happened at the source, look there first: a filter, a failed
          load or a missing partition looks the same.
        </p>
      )}
      {run.reason === 'SOURCE_EMPTY' && (
        <p>
          The source returned nothing at all. That is often a table that is being loaded, or a right that was
          revoked.
        </p>
      )}
      <p>
        <strong>What to do:</strong> {releaseWords(run)}
      </p>
      {mayWrite.value ? (
        <div class="buttons">
          <button type="button" class="dangerous" onClick={() => (question.value = { kind: 'allow', run })}>
            {run.reason === 'STATE_LOST' || run.reason === 'SOURCE_MOVED'
              ? 'Export in full…'
              : 'Allow removals…'}
          </button>
          <button
            type="button"
            data-key="r"
            onClick={() => (question.value = { kind: 'run', activation: run.activation })}
          >
            Try again as it is
          </button>
        </div>
      ) : (
        <p class="soft">Your token may look only: somebody whose token may write can allow it.</p>
      )}
    </section>
  );
}

function Queue({ run }: { run: RunRecord }) {
  const activation = activations.value?.find(({ name }) => name === run.activation);
  const before = activation?.queued.indexOf(run.run) ?? -1;
  if (run.retryAt !== undefined) return null;
  return (
    <p>
      {activation?.paused
        ? 'The activation is paused: the run begins when it is resumed.'
        : activation?.running !== undefined && activation.running !== run.run
          ? 'Another run of the activation is under way, and this one comes after it.'
          : before > 0
            ? `${before} other ${before === 1 ? 'run waits' : 'runs wait'} before it.`
            : 'It begins as soon as the daemon has room for another run.'}
    </p>
  );
}
