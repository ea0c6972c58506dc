import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { type ApiError, addressOf, call, toApiError } from '../api.ts';
import type { Preview, ValidationReport } from '../api-types.ts';
import { Mark } from './mark.tsx';
import { Problem } from './problem.tsx';

/** Something that takes a while, and that is done when somebody asks for it. */
function OnDemand<T>({
  title,
  about,
  ask,
  show,
}: {
  title: string;
  about: string;
  ask: () => Promise<T>;
  show: (found: T) => ComponentChildren;
}) {
  const [found, setFound] = useState<T>();
  const [error, setError] = useState<ApiError>();
  const [isBusy, setBusy] = useState(false);
  const begin = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      setFound(await ask());
    } catch (cause) {
      setError(toApiError(cause));
    }
    setBusy(false);
  };
  return (
    <div class="demand">
      <div class="bar">
        <button type="button" disabled={isBusy} onClick={() => void begin()}>
          {isBusy ? `${title} …` : title}
        </button>
        <span class="soft">{about}</span>
      </div>
      {error && <Problem error={error} title={`${title} came to nothing`} />}
      {found !== undefined && !error && show(found)}
    </div>
  );
}

export function Check({ name }: { name: string }) {
  return (
    <OnDemand<ValidationReport>
      title="Check"
      about="Connects to source and destination, and changes nothing."
      ask={() => call(addressOf(name, 'validate'), { method: 'POST' })}
      show={report => (
        <>
          <p>
            <Mark shown={report.passed ? 'fine' : 'failing'} word={false} />{' '}
            <strong>{report.passed ? 'A run now would work.' : 'A run now would fail.'}</strong>
          </p>
          <ul class="plain">
            {report.checks.map(({ check, outcome, message, error }) => (
              <li key={check}>
                <Mark
                  shown={outcome === 'passed' ? 'fine' : outcome === 'warned' ? 'warned' : 'failing'}
                  word={false}
                />{' '}
                <strong>{check}</strong> {message}
                {error && <div class="soft">What to do: {error.hint}</div>}
              </li>
            ))}
            {report.notes.map(({ code, message, hint }) => (
              <li key={code + message}>
                <Mark shown="warned" word={false} /> <strong>{code}</strong> {message}
                <div class="soft">What to do: {hint}</div>
              </li>
            ))}
          </ul>
          {report.names.length > 0 && (
            <p>
              It would write{' '}
              {report.names.map((file, index) => (
                <span key={file}>
                  {index > 0 && ', '}
                  <code class="break">{file}</code>
                </span>
              ))}
              .
            </p>
          )}
        </>
      )}
    />
  );
}

export function Rows({ name }: { name: string }) {
  return (
    <OnDemand<Preview>
      title="Show rows"
      about="Reads the first mapped rows from the source. They may hold personal data."
      ask={() => call(`${addressOf(name, 'preview')}?rows=20`)}
      show={({ columns, rows: found, complete }) => (
        <>
          <section class="scroll" tabIndex={0} aria-label="Rows">
            <table class="values">
              <thead>
                <tr>
                  {columns.map(column => (
                    <th key={column.name} scope="col">
                      {column.name}
                      <div class="soft">{column.sourceType}</div>
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {found.map((values, index) => (
                  <tr key={index}>
                    {values.map((value, column) => (
                      <td key={columns[column]?.name}>
                        {value === null ? <span class="soft">NULL</span> : value}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
          <p class="soft">{complete ? 'These are all the rows.' : 'There are more rows.'}</p>
        </>
      )}
    />
  );
}
