import { useState } from 'preact/hooks';
import { type ApiError, call, signOut, toApiError } from '../api.ts';
import type { Health, ReloadOutcome } from '../api-types.ts';
import { now } from '../format.ts';
import { activations, mayReload, me } from '../live.ts';
import { Fact } from '../parts/configured.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { Mark } from '../parts/mark.tsx';
import { Loading, Problem } from '../parts/problem.tsx';
import { Time } from '../parts/time.tsx';

/** The daemon itself. */
export function DaemonPage() {
  const {
    value: health,
    error,
    reload,
  } = useLoaded(signal => call<Health>('readyz', { signal }), [now.value]);
  return (
    <>
      <header class="page">
        <h1>Daemon</h1>
        {health && <Mark shown={health.problems.length > 0 ? 'warned' : 'fine'} />}
      </header>
      {error && (
        <Problem error={error} title="How the daemon is is not known">
          <button type="button" onClick={reload}>
            Try again
          </button>
        </Problem>
      )}
      {health === undefined ? !error && <Loading lines={4} /> : <Told health={health} />}
      {mayReload.value && <Reload />}
      <section>
        <h2>For programs</h2>
        <p>
          The API is described by <code>/openapi.json</code>, and <code>/metrics</code> has metrics for
          Prometheus. Both ask for the token that you use here.
        </p>
      </section>
      <WhoAmI />
    </>
  );
}

function Told({ health }: { health: Health }) {
  const { state, version, startedAt, running, queued, problems } = health;
  return (
    <>
      <dl class="facts">
        <Fact name="State">{state}</Fact>
        <Fact name="Version">{version}</Fact>
        <Fact name="Started">
          <Time at={startedAt} />
        </Fact>
        <Fact name="Activations">{activations.value?.length ?? '–'}</Fact>
        <Fact name="Runs under way">{running}</Fact>
        <Fact name="Runs that wait">{queued}</Fact>
      </dl>
      <h2>Problems</h2>
      {problems.length === 0 ? (
        <p class="soft">None.</p>
      ) : (
        <ul class="plain">
          {problems.map(problem => (
            <li key={problem}>
              <Mark shown="warned" word={false} /> {problem}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Reload() {
  const [outcome, setOutcome] = useState<ReloadOutcome>();
  const [error, setError] = useState<ApiError>();
  const [isBusy, setBusy] = useState(false);
  const reload = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    setOutcome(undefined);
    try {
      setOutcome(await call<ReloadOutcome>('v1/reload', { method: 'POST' }));
    } catch (cause) {
      setError(toApiError(cause));
    }
    setBusy(false);
  };
  return (
    <section>
      <h2>Configuration</h2>
      <p>
        Reads the configuration again. One that is bad is refused with everything that is wrong in it, and the
        old one stays.
      </p>
      <button type="button" disabled={isBusy} onClick={() => void reload()}>
        Reload
      </button>
      {error && <Problem error={error} title="It was refused; the old one stays" />}
      {outcome && <Outcome outcome={outcome} />}
    </section>
  );
}

function Outcome({ outcome }: { outcome: ReloadOutcome }) {
  const told = (
    [
      ['New', outcome.added],
      ['Gone', outcome.removed],
      ['Changed', outcome.changed],
      ['Settings changed', outcome.settings],
      ['Hold after a restart only', outcome.needsRestart],
    ] as const
  ).filter(([, names]) => names.length > 0);
  return (
    <div role="status">
      <p>
        {told.length === 0 ? 'It was read, and nothing has changed.' : 'It was read, and holds from now on.'}
      </p>
      <dl class="facts">
        {told.map(([name, names]) => (
          <Fact key={name} name={name}>
            {names.join(', ')}
          </Fact>
        ))}
      </dl>
    </div>
  );
}

const RIGHTS = {
  read: 'look, and change nothing',
  preview: 'look and see rows, and change nothing',
  write: 'look, change and see rows',
};

function scopeOf(activations: readonly string[] | undefined): string {
  return activations === undefined ? '' : `, of the activations ${activations.join(', ')}`;
}

function WhoAmI() {
  const caller = me.value;
  if (caller === undefined) return null;
  return (
    <section>
      <h2>You</h2>
      <p>
        {caller.tokensRequired
          ? `You use the token ${caller.tokenName ?? ''}, which may ${RIGHTS[caller.may]}${scopeOf(caller.activations)}.`
          : 'The daemon asks for no token: whoever reaches it may do everything.'}
      </p>
      {caller.tokensRequired && (
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      )}
    </section>
  );
}
