import type { ResolvedActivation } from '../../config/activation.ts';
import { isSameSet } from '../../config/parameters/bind-parameters.ts';
import type { RunRecord, RunWarning } from '../../history/run-record.ts';
import { isSuccess } from '../../history/run-state.ts';
import {
  hasReadAll,
  inUnits,
  rowsChangedWarning,
  sasExpiresWarning,
} from '../../run/warnings/outcome-warnings.ts';
import type { ActivationWarningCode, SampledKeys, Severity } from '../notify/notification.ts';
import { sampledKeys } from '../notify/sampled-keys.ts';

/**
 * Every warning of an activation, as data: when it is raised, when it is over, and how
 * grave it is. The guide's table (docs/guide/warnings.md) says the same, and a test holds
 * the two together.
 */

export interface EndedRun {
  readonly activation: ResolvedActivation;
  readonly record: RunRecord;
  /** Earlier runs, the newest first. */
  readonly previous: readonly RunRecord[];
}

export interface PassedTime {
  readonly activation: ResolvedActivation;
  readonly now: Date;
  /** As the clock of the destination says it: by that one credentials expire. */
  readonly serviceNow: Date;
  /** When a run last succeeded; without one, since when the activation is watched. */
  readonly succeededAt: Date;
}

/** `undefined`: this tells neither that the warning holds nor that it does not. */
export type Verdict =
  | { readonly holds: boolean; readonly message: string; readonly samples?: SampledKeys }
  | undefined;

export interface WarningRule {
  readonly code: ActivationWarningCode;
  readonly severity: Severity;
  readonly raised: string;
  readonly over: string;
  /**
   * Nobody is told that it is over: rather than a state it is something that happened.
   */
  readonly isOverSilently?: boolean;
  readonly afterRun?: (ended: EndedRun) => Verdict;
  readonly afterTime?: (passed: PassedTime) => Verdict;
}

const holds = (message: string): Verdict => ({ holds: true, message });
const isOver = (message: string): Verdict => ({ holds: false, message });

const MESSAGES_SHOWN = 3;

/**
 * What the run says itself; over with the next run that reads everything and does not say
 * it.
 */
function inRecord(code: RunWarning['code'], over: string): (ended: EndedRun) => Verdict {
  return ({ record }) => {
    const messages = record.warnings.filter(warning => warning.code === code).map(({ message }) => message);
    if (messages.length > 0) {
      const rest = messages.length - MESSAGES_SHOWN;
      return holds(messages.slice(0, MESSAGES_SHOWN).join('; ') + (rest > 0 ? `; and ${rest} more` : ''));
    }
    return isSuccess(record) && hasReadAll(record) ? isOver(over) : undefined;
  };
}

/** As `inRecord`; a run that fails for it has no warning, but an error of that code. */
function inRecordOrError(
  code: RunWarning['code'],
  errorCode: NonNullable<RunRecord['error']>['code'],
  over: string,
): (ended: EndedRun) => Verdict {
  const judge = inRecord(code, over);
  return ended => {
    const { error } = ended.record;
    return judge(ended) ?? (error?.code === errorCode ? holds(error.message) : undefined);
  };
}

function rowsChanged(code: 'ROWS_DROPPED' | 'ROWS_SPIKED'): (ended: EndedRun) => Verdict {
  return ({ activation, record, previous }) => {
    if (!isSuccess(record) || !hasReadAll(record)) return undefined;
    const compared = previous.find(
      earlier => isSuccess(earlier) && hasReadAll(earlier) && isSameSet(earlier.params, record.params),
    );
    const { read } = record.counts;
    const warning = compared && rowsChangedWarning(activation, read, compared.counts.read);
    if (warning?.code === code) return holds(warning.message);
    const before = compared === undefined ? '' : `, after ${compared.counts.read} in the run before`;
    return isOver(`the source returned ${read} rows${before}`);
  };
}

function sasExpires(activation: ResolvedActivation, now: Date): Verdict {
  const warning = sasExpiresWarning(activation, now);
  return warning
    ? holds(warning.message)
    : isOver(`the SAS token of ${activation.destination.name} is good for longer, or gone`);
}

export const WARNING_RULES: readonly WarningRule[] = [
  {
    code: 'RUN_FAILED',
    severity: 'error',
    raised: 'a run failed, after its last attempt',
    over: 'a run succeeds',
    afterRun: ({ record }) => {
      if (isSuccess(record)) return isOver('a run succeeded');
      if (record.state !== 'failed') return undefined;
      return holds(record.error ? `${record.error.code}: ${record.error.message}` : 'the run failed');
    },
  },
  {
    code: 'RUN_UNFINISHED',
    severity: 'error',
    raised:
      'a run is decided, parts of it may be visible, and it cannot be finished until what is in its way is fixed',
    over: 'it is finished or given up',
    // Runs of the activation wait behind it: no other one succeeds or fails before it has
    // ended.
    afterRun: ({ record }) => {
      if (isSuccess(record)) return isOver('the run is finished');
      return record.state === 'failed' ? isOver('the run was given up') : undefined;
    },
  },
  {
    code: 'HELD',
    severity: 'error',
    raised:
      'a run was held: it would remove too much, the local state is lost, or the source is not where the baseline left it',
    over: 'a run succeeds',
    afterRun: ({ record }) => {
      if (isSuccess(record)) return isOver('a run succeeded');
      if (record.state !== 'held') return undefined;
      const why = record.warnings.find(({ code }) => code === 'HELD')?.message ?? 'the run was held';
      const message = record.release === undefined ? why : `${why}; ${record.release}`;
      return { holds: true, message, ...(record.sample && { samples: sampledKeys(record.sample) }) };
    },
  },
  {
    code: 'PAUSED',
    severity: 'error',
    raised: 'the activation paused itself after failures of its source',
    over: 'it is resumed',
  },
  {
    code: 'NO_SUCCESS',
    severity: 'error',
    raised: 'no run has succeeded for `warnings.noSuccessFor`',
    over: 'a run succeeds',
    afterRun: ({ record }) => (isSuccess(record) ? isOver('a run succeeded') : undefined),
    afterTime: ({ activation, now, succeededAt }) => {
      const limit = activation.warnings.noSuccessForMs;
      if (limit === undefined || now.getTime() - succeededAt.getTime() <= limit)
        return isOver('a run succeeded');
      return holds(
        `no run has succeeded since ${succeededAt.toISOString()}, for more than ${inUnits(limit)}`,
      );
    },
  },
  {
    code: 'SAS_EXPIRES',
    severity: 'warning',
    raised: 'the SAS token of the destination expires within `warnings.sasExpiresWithin`, or has expired',
    over: 'it is replaced by one that is valid for longer',
    // A run may have used a configuration that has been replaced since: the present one
    // counts.
    afterTime: ({ activation, serviceNow }) => sasExpires(activation, serviceNow),
  },
  {
    code: 'EMPTY_RESULT',
    severity: 'warning',
    raised: 'the source returned no rows, with `warnings.emptyResult`',
    over: 'a run reads rows',
    afterRun: inRecord('EMPTY_RESULT', 'the source returns rows again'),
  },
  {
    code: 'ROWS_DROPPED',
    severity: 'warning',
    raised: 'the source returned fewer rows than in the last run, by more than `warnings.rowsDroppedOver`',
    over: 'a run does not drop against the one before it',
    afterRun: rowsChanged('ROWS_DROPPED'),
  },
  {
    code: 'ROWS_SPIKED',
    severity: 'warning',
    raised: 'the source returned more rows than in the last run, by more than `warnings.rowsSpikedOver`',
    over: 'a run does not rise against the one before it',
    afterRun: rowsChanged('ROWS_SPIKED'),
  },
  {
    code: 'REMOVALS_OVER',
    severity: 'warning',
    raised: 'a run removed more than `warnings.removedRowsOver`, since that was allowed',
    over: 'a run removes less',
    isOverSilently: true,
    afterRun: inRecord('REMOVALS_OVER', 'a run removed less'),
  },
  {
    code: 'DUPLICATE_KEYS',
    severity: 'warning',
    raised: 'rows repeat a primary key',
    over: 'a run finds none',
    afterRun: inRecordOrError('DUPLICATE_KEYS', 'KEY_DUPLICATE', 'no key is repeated any more'),
  },
  {
    code: 'NULL_KEYS',
    severity: 'warning',
    raised: 'rows have a null in their primary key',
    over: 'a run finds none',
    afterRun: inRecordOrError('NULL_KEYS', 'KEY_NULL', 'no key is null any more'),
  },
  {
    code: 'SLOW_RUN',
    severity: 'warning',
    raised: 'a run took longer than `warnings.durationOver`',
    over: 'a run succeeds within it',
    afterRun: inRecord('SLOW_RUN', 'a run took no longer than it may'),
  },
  {
    code: 'VALUE_COERCED',
    severity: 'warning',
    raised: 'the format could not hold values as they are, such as NaN in JSON',
    over: 'a run writes none',
    afterRun: inRecord('VALUE_COERCED', 'all values were written as they are'),
  },
  {
    code: 'FOREIGN_BLOB_OVERWRITTEN',
    severity: 'warning',
    raised: 'a run overwrote a blob that Sluice had not written, or another activation',
    over: 'a run overwrites none',
    isOverSilently: true,
    afterRun: inRecord('FOREIGN_BLOB_OVERWRITTEN', 'no such blob was overwritten'),
  },
  {
    code: 'DELTA_OVERWRITTEN',
    severity: 'warning',
    raised: 'a run replaced a delta of the activation that somebody may not have read',
    over: 'a run replaces none',
    isOverSilently: true,
    afterRun: inRecord('DELTA_OVERWRITTEN', 'no delta was replaced'),
  },
  {
    code: 'STALE_PARTS_LEFT',
    severity: 'warning',
    raised: 'parts of an earlier run could not be deleted',
    over: 'a run leaves none',
    afterRun: inRecord('STALE_PARTS_LEFT', 'no stale parts were left'),
  },
  {
    code: 'COMPLETION_STOOD',
    severity: 'warning',
    raised: 'completion files of an earlier run could not be deleted before files were published',
    over: 'a run deletes them',
    afterRun: inRecord('COMPLETION_STOOD', 'no completion file stood while files were published'),
  },
  {
    code: 'MANIFESTS_LEFT',
    severity: 'warning',
    raised: 'manifests of earlier runs, which `manifest.keep` no longer keeps, may not be deleted',
    over: 'a run says nothing of it; it is said once',
    isOverSilently: true,
    afterRun: inRecord('MANIFESTS_LEFT', 'nothing is said of manifests that are left'),
  },
  {
    code: 'APPEND_PART_MISSING',
    severity: 'warning',
    raised: 'a part of a file that runs append to was taken away or archived; the run continued behind it',
    over: 'a run finds no other part gone',
    isOverSilently: true,
    afterRun: inRecord('APPEND_PART_MISSING', 'no other part is gone'),
  },
  {
    code: 'COLUMNS_CHANGED',
    severity: 'info',
    raised: 'columns, types, key or mapping are not those of the baseline, and a full run was made',
    over: 'a run finds them unchanged',
    isOverSilently: true,
    afterRun: inRecord('COLUMNS_CHANGED', 'columns are those of the baseline'),
  },
  {
    code: 'DESTINATION_RESET',
    severity: 'warning',
    raised: 'the destination lost what was published, and a full run was made',
    over: 'a run finds it as it was left',
    isOverSilently: true,
    afterRun: inRecord('DESTINATION_RESET', 'the destination is as it was left'),
  },
  {
    code: 'STATE_LOST',
    severity: 'warning',
    raised: 'the local state was lost, and a full run was made, with `onStateLost: full`',
    over: 'a run finds its state',
    isOverSilently: true,
    afterRun: inRecord('STATE_LOST', 'the state is there'),
  },
  {
    code: 'STATE_STALE',
    severity: 'warning',
    raised: 'runs of type `full_only` came after the baseline, and a full run was made',
    over: 'a run goes on from its baseline',
    isOverSilently: true,
    afterRun: inRecord('STATE_STALE', 'the baseline is what was published last'),
  },
  {
    code: 'SOURCE_MOVED',
    severity: 'warning',
    raised:
      'the source is another server than that of the baseline, or stands behind it, and was read with `onSourceMoved: full`',
    over: 'a run finds it further on',
    isOverSilently: true,
    afterRun: inRecord('SOURCE_MOVED', 'the source has gone on from the baseline'),
  },
  {
    code: 'SOURCE_FAILED_OVER',
    severity: 'warning',
    raised: 'a standby of the source has taken over since the baseline, and has all that it shows of it',
    over: 'a run finds the same timeline',
    isOverSilently: true,
    afterRun: inRecord('SOURCE_FAILED_OVER', 'the source is on the timeline of the baseline'),
  },
  {
    code: 'CRC64_REFUSED',
    severity: 'info',
    raised: 'the storage service refused the CRC64 of a block, as an old one does, and got its MD5 instead',
    over: 'a run says nothing of it',
    isOverSilently: true,
    afterRun: inRecord('CRC64_REFUSED', 'the storage service takes the CRC64 of blocks'),
  },
  {
    code: 'RECORD_NOT_KEPT',
    severity: 'warning',
    raised: 'a run succeeded, and its record could not be written to the history',
    over: 'a record is kept',
    afterRun: inRecord('RECORD_NOT_KEPT', 'the record of a run was kept'),
  },
];
