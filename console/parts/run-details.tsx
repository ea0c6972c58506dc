import { useState } from 'preact/hooks';
import type { RunFile, RunRecord } from '../api-types.ts';
import { bytes, count, now, second, span } from '../format.ts';
import { progress } from '../live.ts';
import { changesOf, isFull, secondsOf, triggerWords } from '../words.ts';
import { Fact } from './configured.tsx';
import { Time } from './time.tsx';

const PHASES = ['connecting', 'reading', 'publishing'] as const;

export function Live({ run }: { run: RunRecord }) {
  const told = progress.value.get(run.run);
  const phase = run.state === 'publishing' ? 'publishing' : (told?.phase ?? 'connecting');
  return (
    <section class="live" aria-label="Progress">
      <ol class="phases">
        {PHASES.map(name => (
          <li key={name} aria-current={name === phase ? 'step' : undefined}>
            {name}
          </li>
        ))}
        <li>done</li>
      </ol>
      {told?.waiting !== undefined && <p class="message">{told.waiting}</p>}
      <dl class="numbers">
        <Figure name="Time" value={span(secondsOf(run, second.value))} />
        <Figure name="Rows read" value={count(told?.rowsRead ?? 0)} />
        <Figure
          name="Rows a second"
          value={told?.rowsPerSecond === undefined ? '–' : count(told.rowsPerSecond)}
        />
        <Figure name="Rows written" value={count(told?.rowsWritten ?? 0)} />
        <Figure name="Staged" value={bytes(told?.bytesStaged ?? 0)} />
        <Figure name="Blocks" value={count(told?.blocksStaged ?? 0)} />
        <Figure name="Part" value={count(told?.part ?? 1)} />
        {told?.slices && (
          <>
            <Figure name="Slices read" value={`${count(told.slices.done)} of ${count(told.slices.count)}`} />
            <Figure name="Being read" value={count(told.slices.running)} />
            <Figure name="Workers" value={count(told.slices.workers)} />
          </>
        )}
      </dl>
    </section>
  );
}

function Figure({ name, value, tone }: { name: string; value: string; tone?: string }) {
  return (
    <div class={tone}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

export function Counts({ run }: { run: RunRecord }) {
  const { read, added, updated, removed, unchanged, skipped, written, bytes: size } = run.counts;
  const compares = run.runType === 'full_then_delta';
  return (
    <dl class="numbers" aria-label="Counts">
      <Figure name="Read" value={count(read)} />
      {compares && <Figure name="Added" value={count(added)} />}
      {compares && <Figure name="Updated" value={count(updated)} />}
      {compares && (
        <Figure name={run.state === 'held' ? 'Would be removed' : 'Removed'} value={count(removed)} />
      )}
      {compares && <Figure name="Unchanged" value={count(unchanged)} />}
      {skipped > 0 && <Figure name="Skipped" value={count(skipped)} />}
      <Figure name="Written" value={count(written)} />
      <Figure name="Bytes" value={bytes(size)} />
      <Figure name="Took" value={span(secondsOf(run, now.value))} />
    </dl>
  );
}

const FILES_SHOWN = 50;

export function Files({ files, run }: { files: readonly RunFile[]; run: RunRecord }) {
  const [all, setAll] = useState(false);
  const shown = all ? files : files.slice(0, FILES_SHOWN);
  return (
    <section>
      <h2>
        {files.length === 1 ? 'One file' : `${count(files.length)} files`}{' '}
        <span class="soft">{changesOf(run.counts)}</span>
      </h2>
      <div class="scroll">
        <table class="list">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Change</th>
              <th scope="col" class="number">
                Part
              </th>
              <th scope="col" class="number">
                Rows
              </th>
              <th scope="col" class="number">
                Bytes
              </th>
              <th scope="col">SHA-256</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(file => (
              <tr key={file.name}>
                <td class="name">
                  <code class="break">{file.name}</code>
                </td>
                <td data-label="Change">{file.change ?? '–'}</td>
                <td class="number" data-label="Part">
                  {file.part}
                </td>
                <td class="number" data-label="Rows">
                  {count(file.rows)}
                </td>
                <td class="number" data-label="Bytes">
                  {bytes(file.bytes)}
                </td>
                <td data-label="SHA-256">
                  <code class="break small">{file.sha256 === undefined ? '–' : file.sha256}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < files.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show all {count(files.length)}
        </button>
      )}
    </section>
  );
}

export function Facts({ run }: { run: RunRecord }) {
  return (
    <section>
      <h2>About this run</h2>
      <dl class="facts">
        <Fact name="Asked for by">{triggerWords(run.trigger)}</Fact>
        {run.requestedAt !== undefined && (
          <Fact name="Asked for at">
            <Time at={run.requestedAt} />
          </Fact>
        )}
        {run.scheduledFor !== undefined && (
          <Fact name="Was due at">
            <Time at={run.scheduledFor} />
          </Fact>
        )}
        <Fact name="Begun">
          <Time at={run.startedAt} />
        </Fact>
        {run.endedAt !== undefined && (
          <Fact name="Ended">
            <Time at={run.endedAt} />
          </Fact>
        )}
        {run.snapshotTime !== undefined && (
          <Fact name="Rows are as of">
            <Time at={run.snapshotTime} />
          </Fact>
        )}
        <Fact name="Kind">
          {run.runType}, {run.syncMode}, {isFull(run) ? 'every row' : 'changes only'}
        </Fact>
        {run.generation > 0 && (
          <Fact name="Baseline">
            generation {run.generation}
            {run.previousGeneration > 0 && `, taken against ${run.previousGeneration}`}
          </Fact>
        )}
        {run.slices && (
          <Fact name="Read in">
            {count(run.slices.count)} {run.slices.count === 1 ? 'slice' : 'slices'}
            {run.slices.workers &&
              ` by ${run.slices.workers.map(worker => `${worker.name} (${count(worker.slices)})`).join(', ')}`}
          </Fact>
        )}
        {run.attempt !== undefined && run.attempt > 1 && <Fact name="Attempts">{run.attempt}</Fact>}
        {run.idempotencyKey !== undefined && (
          <Fact name="Key of the request">
            <code class="break">{run.idempotencyKey}</code>
          </Fact>
        )}
      </dl>
    </section>
  );
}
