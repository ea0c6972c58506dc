import { useState } from 'preact/hooks';
import { refused, signIn } from '../api.ts';

/** Until a token is given, there is nothing to see. */
export function SignIn() {
  const [typed, setTyped] = useState('');
  const [keep, setKeep] = useState(false);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (typed.trim() !== '') signIn(typed.trim(), keep);
  };
  const why = refused.value;
  return (
    <main class="sign-in" id="main">
      <h1>Sluice</h1>
      <form onSubmit={submit}>
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            autocomplete="current-password"
            value={typed}
            aria-describedby="token-help"
            onInput={event => setTyped(event.currentTarget.value)}
          />
        </label>
        <p id="token-help" class="soft">
          One of <code>daemon.tokens</code> in the configuration. One that may <code>read</code> may look, one
          that may <code>preview</code> also sees rows, and one that may <code>write</code> also runs, pauses
          and allows.
        </p>
        <label class="choice">
          <input type="checkbox" checked={keep} onChange={event => setKeep(event.currentTarget.checked)} />
          <span>Keep it on this device</span>
        </label>
        {why && why.message !== 'the request has no token' && (
          <p class="message" role="alert">
            {why.message}
          </p>
        )}
        <div class="buttons">
          <button type="submit" class="primary" disabled={typed.trim() === ''}>
            Sign in
          </button>
        </div>
      </form>
    </main>
  );
}
