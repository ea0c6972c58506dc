import { call } from '../api.ts';
import type { RunRecord, SampledRow } from '../api-types.ts';
import { count } from '../format.ts';
import { useLoaded } from './loaded.ts';

const SHOWN = 20;

/** Rows that a held run would have published, for those who may see rows. */
export function Sample({ run }: { run: RunRecord }) {
  const { value } = useLoaded<RunRecord>(
    signal => call(`v1/runs/${encodeURIComponent(run.run)}`, { signal }),
    [run.run],
  );
  const sample = value?.sample;
  if (sample === undefined) return null;
  const kinds = (['added', 'updated', 'removed'] as const).filter(change => sample[change].length > 0);
  return (
    <section aria-label="Sample rows">
      <h2>What it would have published</h2>
      {kinds.map(change => (
        <details key={change} open={change === 'removed'}>
          <summary>
            {change} <span class="soft">{count(run.counts[change])}</span>
          </summary>
          <ul class="plain">
            {sample[change].slice(0, SHOWN).map((row, index) => (
              <li key={index} class="break">
                {wordsOf(row)}
              </li>
            ))}
          </ul>
          {run.counts[change] > SHOWN && <p class="soft">There are more.</p>}
        </details>
      ))}
      {sample.gaps.map(gap => (
        <p key={gap} class="soft">
          {gap}
        </p>
      ))}
    </section>
  );
}

function wordsOf({ key, differences = [] }: SampledRow): string {
  const shown = (text: string | null): string => (text === null ? 'NULL' : text === '' ? '""' : text);
  const keyed = key.map(({ column, value }) => `${column} ${shown(value)}`).join(', ');
  const changes = differences.map(
    ({ column, before, after }) => `${column} ${shown(before)} → ${shown(after)}`,
  );
  return changes.length === 0 ? keyed : `${keyed}: ${changes.join(', ')}`;
}
