import type { RunRecord } from '../../history/run-record.ts';
import type { Notification } from './notification.ts';

/**
 * A message names at most this many files of a run: receivers limit its size. The
 * manifest names all.
 */
const MAX_FILES = 100;

/**
 * Says that a run has succeeded, with what it did. There is one for each run, however
 * often it is sent.
 */
export function successNotification(record: RunRecord): Notification {
  const { activation, run, counts, files, startedAt, endedAt = startedAt } = record;
  const { attempts: _, ...told } = record;
  const read = `${counted(counts.read, 'row')} read`;
  const written = `${counted(counts.written, 'row')} in ${counted(files.length, 'file')} written`;
  return {
    id: `${activation}.RUN_SUCCEEDED.${run}`,
    event: 'succeeded',
    code: 'RUN_SUCCEEDED',
    severity: 'info',
    activation,
    run,
    message: `${read}, ${written}`,
    since: endedAt,
    at: endedAt,
    record: { ...told, files: files.slice(0, MAX_FILES) },
    ...(files.length > MAX_FILES && { filesLeftOut: files.length - MAX_FILES }),
  };
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}
