import { NO_COUNTS, type RunRecord, type RunWarning } from '../../../src/history/run-record.ts';

let made = 0;

/** An ended run as the history keeps it; each is newer than the one made before. */
export function record(
  state: RunRecord['state'],
  {
    read = 10,
    warnings = [],
    ...more
  }: Partial<Omit<RunRecord, 'warnings' | 'counts'>> & {
    read?: number;
    warnings?: readonly (RunWarning | RunWarning['code'])[];
  } = {},
): RunRecord {
  made++;
  const at = Date.parse('2026-06-01T00:00:00Z') + made * 60_000;
  return {
    run: `20260601-000000-000-${String(made).padStart(6, '0')}`,
    activation: 'a',
    trigger: 'schedule',
    state,
    runType: 'full_only',
    syncMode: 'snapshot',
    full: true,
    generation: 0,
    previousGeneration: 0,
    startedAt: new Date(at).toISOString(),
    endedAt: new Date(at + 30_000).toISOString(),
    counts: { ...NO_COUNTS, read },
    files: [],
    warnings: warnings.map(warning =>
      typeof warning === 'string' ? { code: warning, message: `${warning} was seen` } : warning,
    ),
    ...more,
  };
}

export function failure(code: NonNullable<RunRecord['error']>['code'], message = 'it broke'): RunRecord {
  const error = { code, category: 'connection', message, hint: '', retryable: true } as const;
  return record('failed', { read: 0, error });
}
