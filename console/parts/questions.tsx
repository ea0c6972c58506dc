import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { cancelRun, pauseActivation, question, trigger } from '../actions.ts';
import { type ApiError, newKey, toApiError } from '../api.ts';
import type { ListedRun } from '../api-types.ts';
import { count } from '../format.ts';
import { shortcuts, useShortcuts } from '../keys.ts';
import { go, linkTo } from '../route.ts';
import { heldMessage } from '../words.ts';
import { Dialog } from './dialog.tsx';
import { Problem } from './problem.tsx';

const close = (): void => {
  question.value = undefined;
};

/** The question that is asked, if one is. */
export function Questions() {
  const asked = question.value;
  switch (asked?.kind) {
    case 'run':
      return <RunQuestion activation={asked.activation} />;
    case 'allow':
      return <AllowQuestion run={asked.run} />;
    case 'pause':
      return <PauseQuestion activation={asked.activation} />;
    case 'cancel':
      return <CancelQuestion run={asked.run} />;
    case 'help':
      return <Help />;
    default:
      return null;
  }
}

/** A question that is answered by doing something; a refusal is shown in place. */
function Form({
  title,
  yes,
  no = 'Cancel',
  dangerous = false,
  ready = true,
  act,
  children,
}: {
  title: string;
  yes: string;
  no?: string;
  dangerous?: boolean;
  ready?: boolean;
  act: () => Promise<void>;
  children: ComponentChildren;
}) {
  const [error, setError] = useState<ApiError>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await act();
      close();
    } catch (cause) {
      setError(toApiError(cause));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={close}>
      <form onSubmit={submit}>
        {children}
        {error && <Problem error={error} title="That was refused" />}
        <div class="buttons">
          <button type="button" autofocus={dangerous} onClick={close}>
            {no}
          </button>
          <button type="submit" class={dangerous ? 'dangerous' : 'primary'} disabled={isBusy || !ready}>
            {yes}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function RunQuestion({ activation }: { activation: string }) {
  const [full, setFull] = useState(false);
  const [key] = useState(newKey);
  const act = async (): Promise<void> => {
    const { run } = await trigger(activation, full ? { full: true } : {}, `${key}-${full}`);
    go(linkTo('runs', run));
  };
  return (
    <Form title={`Run ${activation}`} yes="Run now" act={act}>
      <label class="choice">
        <input type="radio" name="kind" checked={!full} onChange={() => setFull(false)} />
        <span>
          <strong>As configured</strong>
          <br />
          The changes since the baseline, where the activation keeps one; else every row.
        </span>
      </label>
      <label class="choice">
        <input type="radio" name="kind" checked={full} onChange={() => setFull(true)} />
        <span>
          <strong>In full</strong>
          <br />
          Every row, and a new baseline.
        </span>
      </label>
    </Form>
  );
}

function AllowQuestion({ run }: { run: ListedRun }) {
  const [typed, setTyped] = useState('');
  const [key] = useState(newKey);
  const byFull = run.reason === 'STATE_LOST' || run.reason === 'SOURCE_MOVED';
  const { removed, read } = run.counts;
  const proof = !byFull && removed > 0 ? String(removed) : run.activation;
  const wish = byFull
    ? { full: true }
    : { allowRemovals: true, ...(run.asked?.full === true && { full: true }) };
  const act = async (): Promise<void> => {
    const made = await trigger(run.activation, wish, key);
    go(linkTo('runs', made.run));
  };
  return (
    <Form
      title={byFull ? `Export ${run.activation} in full` : `Allow removals of ${run.activation}`}
      yes={byFull ? 'Run in full' : 'Allow and run'}
      no="Keep held"
      dangerous
      ready={typed.replaceAll(/[\s,.]/g, '') === proof.replaceAll(/[\s,.]/g, '')}
      act={act}
    >
      <p class="message">{heldMessage(run)}</p>
      {byFull ? (
        <p>
          A full run writes every row anew and makes a new baseline. Receivers see every row, as on the first
          day.
        </p>
      ) : (
        <>
          <dl class="facts">
            <div>
              <dt>Rows in the source</dt>
              <dd>{count(read)}</dd>
            </div>
            <div>
              <dt>Rows that would be removed</dt>
              <dd>{removed > 0 ? count(removed) : read === 0 ? 'all' : 'not counted'}</dd>
            </div>
          </dl>
          <p>
            A new run reads the source again. What it finds gone is reported as removed, and leaves the
            baseline. Receivers that follow removals delete those rows. This cannot be taken back.
          </p>
        </>
      )}
      <label class="field">
        <span>
          Type <code>{proof}</code> to confirm
        </span>
        <input
          type="text"
          value={typed}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          inputMode={proof === run.activation ? 'text' : 'numeric'}
          onInput={event => setTyped(event.currentTarget.value)}
        />
      </label>
    </Form>
  );
}

function PauseQuestion({ activation }: { activation: string }) {
  const [reason, setReason] = useState('');
  return (
    <Form title={`Pause ${activation}`} yes="Pause" act={() => pauseActivation(activation, reason.trim())}>
      <p>No run begins until it is resumed. A run that is under way goes on.</p>
      <label class="field">
        <span>Reason, for whoever looks next</span>
        <input
          type="text"
          maxLength={500}
          value={reason}
          onInput={event => setReason(event.currentTarget.value)}
        />
      </label>
    </Form>
  );
}

function CancelQuestion({ run }: { run: ListedRun }) {
  return (
    <Form
      title={`Stop this run of ${run.activation}`}
      yes="Stop the run"
      no="Let it run"
      dangerous
      act={async () => void (await cancelRun(run.run))}
    >
      <p>
        Nothing of it is published, and the baseline stays as it is. A run that is decided already is finished
        all the same.
      </p>
    </Form>
  );
}

function Help() {
  return (
    <Dialog title="Keys" onClose={close}>
      <table class="keys">
        <tbody>
          {shortcuts.map(({ keys, does }) => (
            <tr key={keys}>
              <th scope="row">
                <kbd>{keys}</kbd>
              </th>
              <td>{does}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <label class="choice">
        <input
          type="checkbox"
          checked={useShortcuts.value}
          onChange={event => {
            useShortcuts.value = event.currentTarget.checked;
          }}
        />
        <span>Use these keys</span>
      </label>
      <div class="buttons">
        <button type="button" class="primary" onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
