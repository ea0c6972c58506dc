import type { Plan } from '../../run/plan/plan-activation.ts';
import { countsLine, fileLines } from './run-summary.ts';
import { sampleLines } from './sample-lines.ts';
import { escaped, type Terminal } from './terminal.ts';

const OUTCOMES = {
  changes: 'a run now would publish changes',
  nothing: 'a run now would publish no rows',
  held: 'a run now would be held',
} as const;

/** What a run now would publish, for people. */
export function planDescription(plan: Plan, terminal: Terminal): string {
  const { activation, outcome, full, syncMode, runType, why, files, estimated, completion } = plan;
  const text = (value: string): string => escaped(terminal.clean(value));
  const kind = runType === 'full_only' ? 'full' : `${full ? 'full' : 'delta'}, ${syncMode}`;
  const lines = [`${terminal.paint('bold', `${activation}: ${OUTCOMES[outcome]}`)} (${kind}: ${text(why)})`];
  lines.push(`  ${countsLine(plan)}`);
  lines.push(...fileLines(files, terminal));
  if (estimated && files.length > 0)
    lines.push(`  ${terminal.paint('dim', 'bytes and parts are estimates: the files are compressed')}`);
  if (completion !== undefined)
    lines.push(`  then ${completion.map(name => terminal.clean(name)).join(', ')}`);
  lines.push(...sampleLines(plan.sample, plan.counts, terminal).map(line => `  ${line}`));
  return lines.join('\n');
}
