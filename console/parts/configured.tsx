import type { ComponentChildren } from 'preact';
import type { Activation, ActivationConfiguration } from '../api-types.ts';
import { Time } from './time.tsx';

/** What an activation is made of, and when it is due. */
export function Configured({
  activation,
  configuration,
}: {
  activation: Activation;
  configuration: ActivationConfiguration;
}) {
  const { sql, table, where, source, primaryKey, url, fileName, schedule, upcoming, leftOut, settings } =
    configuration;
  const { model, segment, destination, format, runType, syncMode, paused } = activation;
  const query = table ? tableText(table) : sql;
  return (
    <>
      <dl class="facts">
        <Fact name="From">
          {segment === undefined ? `model ${model}` : `segment ${segment} of model ${model}`}, source {source}
        </Fact>
        <Fact name="To">
          {destination}: <code class="break">{url + fileName}</code>
        </Fact>
        <Fact name="Files">
          {format}, {runType}, {syncMode}
        </Fact>
        <Fact name="Key">
          {primaryKey.length === 0 ? (table ? 'that of the table' : 'none') : primaryKey.join(', ')}
        </Fact>
        <Fact name="Schedule">
          {schedule.length === 0
            ? 'none: it runs when somebody asks'
            : schedule.map(({ words }) => words).join('; ')}
        </Fact>
        {upcoming.length > 0 && (
          <Fact name="Due next">
            <ul class="inline">
              {upcoming.map(instant => (
                <li key={instant}>
                  <Time at={instant} plain />
                </li>
              ))}
            </ul>
            {paused && <span class="soft"> left out while it is paused</span>}
          </Fact>
        )}
        {leftOut.length > 0 && (
          <Fact name="Left out">
            <ul class="plain">
              {leftOut.toReversed().map(({ dueAt, reason }) => (
                <li key={dueAt}>
                  <Time at={dueAt} />: {reason}
                </li>
              ))}
            </ul>
          </Fact>
        )}
      </dl>
      {query !== undefined && (
        <>
          <h3>{table ? 'Table' : 'Query'}</h3>
          <pre>{where === undefined ? query : `${query}\n\n-- of which the segment takes\n${where}`}</pre>
        </>
      )}
      <details>
        <summary>Every setting</summary>
        <pre>{JSON.stringify(settings, null, 2)}</pre>
      </details>
    </>
  );
}

function tableText({ schema, name, columns, where }: NonNullable<ActivationConfiguration['table']>): string {
  const lines = [`${schema}.${name}${columns ? ` (${columns.join(', ')})` : ''}`];
  if (where !== undefined) lines.push(`where ${where}`);
  return lines.join('\n');
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
