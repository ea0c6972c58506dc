import type { ResolvedActivation, ResolvedScheduleEntry } from '../../../config/activation.ts';
import { type Placeholder, parseTemplate } from '../../../config/file-name.ts';
import { type Note, note } from '../../../config/schema/note-kinds.ts';
import { RunFiles } from '../../run-files.ts';
import { inUnits } from '../../warnings/outcome-warnings.ts';
import type { NoteGround } from './note-rule.ts';

/** Runs of an interval whose names are compared, each with the next. */
const COMPARED_RUNS = 10;

/**
 * What a cron expression can vary, from the finest on, by the index of its field, and the
 * placeholder that shows it.
 */
const CRON_UNITS: readonly (readonly [unit: string, field: number, placeholder: Placeholder])[] = [
  ['minute', 0, 'mm'],
  ['hour', 1, 'HH'],
  ['day', 2, 'DD'],
  ['month', 3, 'MM'],
];
const WEEKDAY_FIELD = 4;
const CLOCK: readonly string[] = ['YYYY', 'YY', 'MM', 'DD', 'HH', 'mm', 'ss', 'ms', 'X', 'x'];

/** Deltas that overwrite one another before anybody has read them. */
export function repeatedNameNotes({ activation }: NoteGround): Note[] {
  const { runType, ifExists, fileName, schedule } = activation;
  if (runType !== 'full_then_delta' || ifExists !== 'overwrite') return [];
  const placeholders = new Set(
    parseTemplate(fileName).flatMap(token => ('placeholder' in token ? [token.placeholder as string] : [])),
  );
  if (placeholders.has('run')) return [];
  const consequence = 'each delta replaces the one before, whether or not it was read';
  if (!CLOCK.some(word => placeholders.has(word))) {
    return [note('NAME_REPEATS', `fileName gives every run the same name: ${consequence}`)];
  }
  const repeated = schedule.map(entry => repeatedBy(entry, activation, placeholders));
  return repeated
    .filter(why => why !== undefined)
    .map(why =>
      note(
        'NAME_REPEATS',
        `fileName gives runs that follow one another the same name (${why}): ${consequence}`,
      ),
    );
}

function repeatedBy(
  entry: ResolvedScheduleEntry,
  activation: ResolvedActivation,
  placeholders: ReadonlySet<string>,
): string | undefined {
  if ('everyMs' in entry) return repeatedByInterval(entry.everyMs, activation);
  if (!('cron' in entry) || placeholders.has('X') || placeholders.has('x')) return undefined;
  const fields = entry.cron.trim().split(/\s+/);
  const isFixed = (field: number): boolean => /^\w+$/.test(fields[field] ?? '');
  const varying = CRON_UNITS.find(
    ([unit, field]) => !isFixed(field) || (unit === 'day' && fields[WEEKDAY_FIELD] !== '*'),
  );
  if (varying === undefined || placeholders.has(varying[2])) return undefined;
  const [unit, , placeholder] = varying;
  return `"${entry.cron}" is due at more than one ${unit}, and the name has no {${placeholder}}`;
}

function repeatedByInterval(everyMs: number, activation: ResolvedActivation): string | undefined {
  // A round instant, so that the answer is the same at any time of the day.
  const instants = Array.from({ length: COMPARED_RUNS }, (_, index) => index * everyMs);
  const names = instants.map(ms => {
    const startedAt = new Date(Date.UTC(2025, 0, 1) + ms).toISOString();
    return new RunFiles(activation, { run: '', startedAt }, 'delta').shownNames.join();
  });
  const isRepeated = names.some((name, index) => index > 0 && name === names[index - 1]);
  return isRepeated ? `every ${inUnits(everyMs)}` : undefined;
}
