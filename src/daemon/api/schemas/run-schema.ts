import * as z from 'zod';
import type { HeldReason, RunRecord, WarningCode } from '../../../history/run-record.ts';
import { RUN_STATES } from '../../../history/run-state.ts';
import type { RunProgress } from '../../../run/export-run.ts';
import { CHECKSUMS } from '../../../sinks/sink.ts';
import type { ChangeSample } from '../../../transforms/change-sampler.ts';
import type { RecentRun, RunEvent } from '../../operations.ts';
import { component, count, instant, openEnum, type SameShape } from './component.ts';
import { errorSchema } from './error-schema.ts';

export const runType = z.enum(['full_only', 'full_then_delta']);
export const syncMode = z.enum(['snapshot', 'upsert', 'insert', 'difference']);
export const changeName = z.enum(['added', 'updated', 'removed']);

export const runCounts = component(
  'RunCounts',
  z
    .object({
      read: count().describe('Rows that the source sent.'),
      added: count().describe('Rows whose key the baseline did not have.'),
      updated: count().describe('Rows whose key the baseline had with other values.'),
      removed: count().describe('Rows of the baseline that the source no longer has.'),
      unchanged: count().describe('Rows that are as the baseline has them.'),
      skipped: count().describe('Rows left out for a null or repeated key.'),
      written: count().describe('Rows in the files; 0 where the run ended before it was decided.'),
      bytes: count().describe('Bytes of the files as stored, after compression.'),
    })
    .describe('What a run counted.'),
);

const checksum = (of: string) =>
  z.string().exactOptional().describe(`Hexadecimal, where \`checksums\` asks for it: ${of}`);

const runFile = component(
  'RunFile',
  z
    .object({
      name: z.string().describe('Name of the blob in its container.'),
      change: changeName.exactOptional().describe('With `difference`, the change that the file holds.'),
      partition: z
        .record(z.string(), z.string().nullable())
        .exactOptional()
        .describe('With `partitionBy`, the values that all rows of the file have, by column.'),
      part: z.int().min(1).describe('Counted from 1.'),
      rows: count(),
      bytes: count().describe('As stored, after compression.'),
      appended: z
        .object({ fromRow: count(), fromByte: count() })
        .exactOptional()
        .describe('Where the run’s own rows begin in a file that it went on with.'),
      crc64: checksum('CRC-64/NVME, as Azure has it, its highest digit first.'),
      sha256: checksum('SHA-256.'),
      md5: checksum('MD5.'),
      etag: z.string().exactOptional(),
    })
    .describe('A file that a run published.'),
);

export const runWarning = component(
  'RunWarning',
  z
    .object({ code: openEnum<WarningCode>().describe('Stable name of the warning.'), message: z.string() })
    .describe('What somebody should know of a run.'),
);

export const changeDetection = component(
  'ChangeDetection',
  z
    .object({
      mode: z
        .enum(['full', 'xmin'])
        .describe('`xmin`: only rows were read that were written since the baseline. `full`: all of them.'),
      reason: z.string().exactOptional().describe('Why all rows were read all the same.'),
      candidates: count().exactOptional().describe('Rows that were read and compared with `xmin`.'),
    })
    .describe('How a run found what has changed.'),
);

const sampledRow = component(
  'SampledRow',
  z
    .object({
      key: z
        .array(
          component(
            'SampledField',
            z
              .object({
                column: z.string().describe('Name in the model.'),
                value: z
                  .string()
                  .nullable()
                  .describe('As the source sent it; a long text is cut, and ends with its size.'),
              })
              .describe('A field of a row.'),
          ),
        )
        .describe('The fields of its key; of a model without one, every field that is written.'),
      differences: z
        .array(
          component(
            'SampledDifference',
            z
              .object({
                column: z.string().describe('Name in the file.'),
                before: z.string().nullable(),
                after: z.string().nullable(),
              })
              .describe('A field that is other than in the baseline.'),
          ),
        )
        .exactOptional()
        .describe('What differs in an updated row; absent where the baseline keeps no values.'),
    })
    .describe('A row of a sample.'),
);

export const changeSampleSchema = component(
  'ChangeSample',
  z
    .object({
      added: z.array(sampledRow),
      updated: z.array(sampledRow),
      removed: z.array(sampledRow),
      gaps: z.array(z.string()).describe('What it cannot show, and why.'),
    })
    .describe('The first rows of each change, at most 100 of each.'),
);
true satisfies SameShape<typeof changeSampleSchema, ChangeSample>;

const readers = component(
  'Readers',
  z
    .object({
      count: count().describe('How many read the source at once.'),
      slices: count()
        .exactOptional()
        .describe('Parts of the source that they took one after the other, where there were several.'),
      sliceBytes: count().exactOptional().describe('Bytes that each of these has at the source, about.'),
      reason: z.string().exactOptional().describe('Why there is one, although more were asked for.'),
    })
    .describe('How a source was read.'),
);

const slicedReading = component(
  'SlicedReading',
  z
    .object({
      count: count().describe('How many slices there were.'),
      consistency: z
        .literal('slice')
        .exactOptional()
        .describe('Each of several was read in a snapshot of its own: the rows are not of one instant.'),
      sliceBytes: count().exactOptional().describe('Bytes that each of several has at the source, about.'),
      withoutChecksums: z
        .array(z.enum(CHECKSUMS))
        .exactOptional()
        .describe('Checksums that files have otherwise, and that cannot be computed from those of slices.'),
      reason: z.string().exactOptional().describe('Why there is one.'),
      workers: z
        .array(
          z.object({
            name: z.string().describe('Its host, and the number of its process there.'),
            slices: count().describe('How many of the slices it has read.'),
          }),
        )
        .exactOptional()
        .describe('Who has read them, where they came from a queue.'),
    })
    .describe('How a source was read by `sluice slice`, or by workers of a queue.'),
);

const runAttempt = component(
  'RunAttempt',
  z
    .object({ startedAt: instant(), endedAt: instant(), error: errorSchema })
    .describe('An earlier attempt of a run, which failed.'),
);

const EXAMPLE_RUN: RunRecord = {
  run: '20250414-070000-123-k3f9ab',
  activation: 'customers_to_lake',
  trigger: 'http',
  state: 'succeeded',
  runType: 'full_then_delta',
  syncMode: 'upsert',
  full: false,
  generation: 42,
  previousGeneration: 41,
  requestedAt: '2025-04-14T07:00:00.123Z',
  asked: {},
  idempotencyKey: 'airflow-2025-04-14',
  attempt: 1,
  startedAt: '2025-04-14T07:00:00.151Z',
  endedAt: '2025-04-14T07:00:04.908Z',
  snapshotTime: '2025-04-14T07:00:00.310Z',
  counts: {
    read: 1_000_000,
    added: 1200,
    updated: 340,
    removed: 0,
    unchanged: 998_460,
    skipped: 0,
    written: 1540,
    bytes: 90_412,
  },
  files: [
    {
      name: 'crm/2025/04/14/customers.csv',
      part: 1,
      rows: 1540,
      bytes: 90_412,
      crc64: '3377786699999999',
      sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      etag: '0x8DD7B0C1F2A3B4C',
    },
  ],
  warnings: [],
};

export const runSchema = component(
  'Run',
  z
    .object({
      run: z.string().describe('Id of the run. Ids sort by time.'),
      activation: z.string(),
      trigger: z.enum(['command', 'schedule', 'http', 'library', 'demo']).describe('What asked for the run.'),
      state: z
        .enum(RUN_STATES)
        .describe(
          '`succeeded`, `failed`, `held`, `cancelled` and `recovered` are final: no run leaves them. A run of the daemon that is decided, so that parts of it may be visible, is never `failed` for what is in its way: it is `queued` between attempts, with `error` and `retryAt`, until it is finished as `recovered`, or given up and then `failed`. Only a run that `sluice run` made beside the daemon and left decided is `failed` until somebody finishes it as `recovered`.',
        ),
      runType,
      syncMode,
      to: z
        .string()
        .exactOptional()
        .describe('The local folder that the command exported to, in the place of the destination.'),
      full: z
        .boolean()
        .describe(
          'Whether every row is exported rather than the changes since the baseline; until the run has looked at its baseline, whether that was asked for.',
        ),
      generation: count().describe(
        'Generation of the baseline that the run made; 0 is none, as in a run that was held or failed before it was decided.',
      ),
      previousGeneration: count().describe('Generation that the run was taken against; 0 is none.'),
      startedAt: instant().describe('Begin of the first attempt; before it, when the run was asked for.'),
      endedAt: instant().exactOptional(),
      snapshotTime: instant().exactOptional().describe('Instant of the source that the rows are from.'),
      changeDetection: changeDetection
        .exactOptional()
        .describe('Present where the activation has it that not every row need be read.'),
      slices: slicedReading
        .exactOptional()
        .describe('Present where `sluice slice`, or workers of a queue, read the source.'),
      readers: readers
        .exactOptional()
        .describe('Present where `parallel` of the activation asks for more than one reader.'),
      counts: runCounts,
      files: z.array(runFile).describe('What was published.'),
      completion: z
        .array(z.string())
        .exactOptional()
        .describe('Names of the completion files that were written after the files.'),
      warnings: z.array(runWarning),
      error: errorSchema
        .exactOptional()
        .describe('Why the run failed; while it waits for its next attempt, why the last one did.'),
      reason: openEnum<HeldReason>()
        .exactOptional()
        .describe(
          'Why the run was held: `SOURCE_EMPTY`, `REMOVALS_OVER`, `STATE_LOST` or `SOURCE_MOVED`. The warning `HELD` says more.',
        ),
      release: z.string().exactOptional().describe('What releases a run that was held.'),
      params: z
        .record(z.string(), z.string().nullable())
        .exactOptional()
        .describe('Values of the query’s parameters, by name; null is NULL.'),
      sample: changeSampleSchema
        .exactOptional()
        .describe(
          'Rows of the changes that a run which was held would have published. `getRun` has it, for tokens that may `preview`.',
        ),
      requestedAt: instant().exactOptional(),
      asked: z
        .object({
          full: z.boolean().exactOptional(),
          allowRemovals: z.boolean().exactOptional(),
          params: z.record(z.string(), z.string()).exactOptional().describe('Values of parameters.'),
        })
        .exactOptional()
        .describe('What was asked for, beside the activation.'),
      idempotencyKey: z.string().exactOptional(),
      scheduledFor: instant().exactOptional().describe('When the schedule that asked was due.'),
      attempt: z.int().min(1).exactOptional().describe('The attempt under way or made last, counted from 1.'),
      attempts: z.array(runAttempt).exactOptional().describe('Earlier attempts, the newest last.'),
      retryAt: instant()
        .exactOptional()
        .describe('When the next attempt is due, while the run waits for it.'),
    })
    .describe('One execution of an activation.')
    .meta({ examples: [EXAMPLE_RUN] }),
);
true satisfies SameShape<typeof runSchema, RunRecord>;

/** In lists and streams: a run may have published thousands of files. */
export const listedRunSchema = component(
  'ListedRun',
  runSchema
    .omit({ files: true, sample: true })
    .describe('A run without its files and its sample; `getRun` has them.')
    .meta({ examples: [listedRun(EXAMPLE_RUN)] }),
);

export function listedRun({ files, sample, ...run }: RunRecord): Omit<RunRecord, 'files' | 'sample'> {
  return run;
}

export const recentRunSchema = component(
  'RecentRun',
  z
    .object({
      run: z.string().describe('Id of the run.'),
      state: z.enum(RUN_STATES),
      startedAt: instant(),
      seconds: z.number().min(0).exactOptional().describe('From its begin to its end.'),
      added: count(),
      updated: count(),
      removed: count(),
      written: count(),
      bytes: count(),
    })
    .describe('A run that has ended, in short; the counts are those of `RunCounts`.'),
);
true satisfies SameShape<typeof recentRunSchema, RecentRun>;

export const runPageSchema = component(
  'RunPage',
  z
    .object({
      runs: z.array(runSchema).describe('The newest first.'),
      more: z.boolean().describe('Whether there are older ones that fit.'),
      next: z.string().exactOptional().describe('`before` of the next page, where there is one.'),
    })
    .describe('A page of runs.'),
);
export type RunPageAnswer = z.output<typeof runPageSchema>;

export const runProgressSchema = component(
  'RunProgress',
  z
    .object({
      run: z.string(),
      phase: z.enum(['connecting', 'reading', 'publishing']),
      rowsRead: count(),
      rowsWritten: count(),
      bytesStaged: count(),
      blocksStaged: count(),
      part: count().describe('The part that is being written.'),
      connectingTo: z
        .enum(['destination', 'source'])
        .exactOptional()
        .describe('Which side the run waits for, while it connects.'),
      waiting: z.string().exactOptional().describe('What does not answer, and until when it is tried again.'),
      slices: z
        .object({
          count: count().describe('How many there are.'),
          done: count().describe('Read and staged.'),
          running: count().describe('Being read now.'),
          workers: count().describe('Workers that have read one so far.'),
        })
        .exactOptional()
        .describe(
          'Present where workers of a queue read the source; rows and bytes are of slices that are done.',
        ),
    })
    .describe('How far a run is.')
    .meta({
      examples: [
        {
          run: '20250414-070000-123-k3f9ab',
          phase: 'reading',
          rowsRead: 250_000,
          rowsWritten: 1100,
          bytesStaged: 65_536,
          blocksStaged: 1,
          part: 1,
        },
      ],
    }),
);
true satisfies SameShape<
  typeof runProgressSchema,
  { run: string } & { [K in keyof RunProgress]: RunProgress[K] }
>;

/** The shape of each event's data, by the event's name. */
export const RUN_EVENTS = {
  state: runSchema,
  progress: runProgressSchema,
} as const satisfies Record<RunEvent['type'], z.ZodType>;
