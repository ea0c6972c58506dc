import type { ActiveWarning } from '../api-types.ts';
import { activations, failure } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { Empty, Loading } from '../parts/problem.tsx';
import { Time } from '../parts/time.tsx';
import { linkTo } from '../route.ts';
import { isSerious, titleOf } from '../words.ts';

interface Held extends ActiveWarning {
  readonly activation: string;
}

/** What holds now, what keeps exports from coming first. */
export function WarningsPage() {
  const all = activations.value;
  if (all === undefined) return failure.value ? null : <Loading />;
  const warnings = all
    .flatMap(({ name, warnings }) => warnings.map((warning): Held => ({ ...warning, activation: name })))
    .sort((a, b) => {
      const order = Number(isSerious(b.code)) - Number(isSerious(a.code));
      return order !== 0 ? order : a.since < b.since ? 1 : -1;
    });
  const serious = warnings.filter(({ code }) => isSerious(code));
  const rest = warnings.filter(({ code }) => !isSerious(code));
  return (
    <>
      <header class="page">
        <h1>Warnings</h1>
      </header>
      {warnings.length === 0 && (
        <Empty title="Nothing to look at">
          <p>No warning holds. One that begins or ends is also sent to whoever the activation notifies.</p>
        </Empty>
      )}
      {serious.length > 0 && <List title="No export comes until somebody acts" warnings={serious} />}
      {rest.length > 0 && <List title="Worth a look" warnings={rest} />}
    </>
  );
}

function List({ title, warnings }: { title: string; warnings: readonly Held[] }) {
  return (
    <section>
      <h2>{title}</h2>
      <div class="scroll">
        <table class="list">
          <thead>
            <tr>
              <th scope="col">Warning</th>
              <th scope="col">Activation</th>
              <th scope="col">What was seen</th>
              <th scope="col">Since</th>
              <th scope="col">Run</th>
            </tr>
          </thead>
          <tbody>
            {warnings.map(({ activation, code, message, since, run }) => (
              <tr key={activation + code} data-row>
                <td class="nowrap">
                  <Mark shown={isSerious(code) ? 'failing' : 'warned'} word={false} /> {titleOf(code)}
                </td>
                <td class="name">
                  <a href={linkTo('activations', activation)}>{activation}</a>
                </td>
                <td class="outcome" data-label="What was seen">
                  {message}
                </td>
                <td data-label="Since">
                  <Time at={since} />
                </td>
                <td data-label="Run">
                  {run === undefined ? (
                    <span class="soft">none</span>
                  ) : (
                    <a href={linkTo('runs', run)} aria-label={`Run of ${activation} that raised it`}>
                      the run
                    </a>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
