import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import { question, refusal } from './actions.ts';
import { refused } from './api.ts';
import { clock, inUtc, showUtc } from './format.ts';
import { listenToKeys } from './keys.ts';
import { asOf, connection, failure, me, problems, reconnect, start } from './live.ts';
import { Announcer } from './parts/announce.tsx';
import { Problem } from './parts/problem.tsx';
import { Questions } from './parts/questions.tsx';
import { place } from './route.ts';
import { ActivationPage } from './screens/activation.tsx';
import { DaemonPage } from './screens/daemon.tsx';
import { Overview } from './screens/overview.tsx';
import { RunPage } from './screens/run.tsx';
import { RunsPage } from './screens/runs.tsx';
import { SignIn } from './screens/sign-in.tsx';
import { WarningsPage } from './screens/warnings.tsx';

const THEMES = ['system', 'light', 'dark'] as const;
const THEME_KEY = 'sluice.theme';
const theme = signal(THEMES.find(name => name === localStorage.getItem(THEME_KEY)) ?? 'system');

effect(() => {
  if (theme.value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
  localStorage.setItem(THEME_KEY, theme.value);
});

effect(() => {
  const title = me.value?.title;
  const count = problems.value;
  document.title = `${count > 0 ? `(${count}) ` : ''}Sluice${title === undefined ? '' : ` · ${title}`}`;
  const icon = document.querySelector('link[rel=icon]');
  icon?.setAttribute('href', count > 0 ? 'console/icon-alert.svg' : 'console/icon.svg');
});

/**
 * Installations are told apart by a colour too: the same name has the same one wherever
 * it is opened.
 */
function hueOf(title: string): number {
  let hash = 0;
  for (const character of title) hash = (hash * 31 + character.codePointAt(0)!) % 8;
  return hash;
}

const PAGES = [
  ['', 'Activations'],
  ['runs', 'Runs'],
  ['warnings', 'Warnings'],
  ['daemon', 'Daemon'],
] as const;

function Frame() {
  const { path } = place.value;
  const [first = ''] = path;
  const section = first === 'activations' ? '' : first;
  const title = me.value?.title;
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        To the content
      </button>
      <header class="top">
        <a class="brand" href="#/" aria-label="Sluice">
          <img src="console/icon.svg" alt="" width="22" height="22" />
          <span>Sluice</span>
        </a>
        {title !== undefined && <span class={`title hue-${hueOf(title)}`}>{title}</span>}
        <nav aria-label="Pages">
          {PAGES.map(([step, name]) => (
            <a key={step} href={`#/${step}`} aria-current={section === step ? 'page' : undefined}>
              {name}
              {step === '' && problems.value > 0 && (
                <span class="badge">
                  {problems}
                  <span class="unseen"> need you</span>
                </span>
              )}
            </a>
          ))}
        </nav>
        <div class="tools">
          <Liveness />
          <button type="button" class="quiet" onClick={() => showUtc(!inUtc.value)}>
            {inUtc.value ? 'UTC' : 'Local time'}
          </button>
          <label>
            <span class="unseen">Theme</span>
            <select
              value={theme.value}
              onChange={event => {
                theme.value = event.currentTarget.value as (typeof THEMES)[number];
              }}
            >
              {THEMES.map(name => (
                <option key={name} value={name}>
                  {name === 'system' ? 'Theme' : name}
                </option>
              ))}
            </select>
          </label>
          <button
            type="button"
            class="quiet keys-button"
            aria-label="Keys"
            onClick={() => (question.value = { kind: 'help' })}
          >
            ?
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1} class={connection.value === 'lost' ? 'old' : undefined}>
        <Lost />
        {refusal.value && (
          <Problem error={refusal.value.error} title={refusal.value.what}>
            <button type="button" onClick={() => (refusal.value = undefined)}>
              Close
            </button>
          </Problem>
        )}
        <Page path={path} />
      </main>
      <Questions />
      <Announcer />
    </>
  );
}

function skip(): void {
  document.querySelector('main')?.focus();
}

function Page({ path }: { path: readonly string[] }) {
  const [first, second] = path;
  if (first === undefined) return <Overview />;
  if (first === 'activations' && second !== undefined) return <ActivationPage name={second} />;
  if (first === 'runs') return second === undefined ? <RunsPage /> : <RunPage id={second} key={second} />;
  if (first === 'warnings') return <WarningsPage />;
  if (first === 'daemon') return <DaemonPage />;
  return (
    <div class="empty">
      <h2>There is no such page</h2>
      <a class="button" href="#/">
        Activations
      </a>
    </div>
  );
}

function Liveness() {
  const state = connection.value;
  const text =
    state === 'live'
      ? 'live'
      : state === 'connecting'
        ? 'connecting'
        : asOf.value === undefined
          ? 'no answer'
          : `no answer since ${clock(asOf.value.toISOString(), inUtc.value, true)}`;
  return (
    <span class={`liveness ${state}`} role="status">
      {text}
    </span>
  );
}

function Lost() {
  const why = failure.value;
  if (why === undefined || connection.value === 'live') return null;
  const when =
    asOf.value === undefined
      ? ''
      : ` What is shown is as of ${clock(asOf.value.toISOString(), inUtc.value, true)}.`;
  return (
    <Problem
      error={why}
      title={`${why.code === 'STARTING' ? 'The daemon is starting.' : 'The daemon cannot be asked.'}${when}`}
    >
      <button type="button" onClick={reconnect}>
        Try again now
      </button>
    </Problem>
  );
}

function App() {
  return refused.value === undefined ? <Frame /> : <SignIn />;
}

listenToKeys();
start();
render(<App />, document.querySelector('#app')!);
