/** `activations` of the configuration: what is exported where, when and how. */

import * as z from 'zod';
import { cronFault } from './cron.ts';
import { blob } from './schema-blob.ts';
import { completion } from './schema-completion.ts';
import { format } from './schema-formats.ts';
import { notes } from './schema-notes.ts';
import { secret } from './secret-schema.ts';
import { duration, percent, signedDuration, size, text, timezone } from './values.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const mappedColumn = z
  .union(
    [
      text().describe('A column under its own name.'),
      z
        .strictObject({
          from: text().describe('Column of the model.'),
          to: text().describe('Name in the file.'),
        })
        .describe('A column under another name.'),
    ],
    { error: 'a column name, or { from, to }' },
  )
  .transform(column => (typeof column === 'string' ? { from: column, to: column } : column));

const scheduleEntry = z.union(
  [
    z
      .strictObject({
        cron: z
          .string()
          .superRefine((expression, context) => {
            const reason = cronFault(expression);
            const message = 'a cron expression of five fields, such as "0 7 * * *"';
            if (reason !== undefined) context.addIssue({ code: 'custom', message, params: { reason } });
          })
          .describe('Minute, hour, day of month, month, day of week.'),
        timezone: timezone().default('UTC').describe('Time zone that the expression is read in.'),
      })
      .describe('At set times.'),
    z
      .strictObject({
        every: duration({ min: 1000, bounds: 'at least 1s' }).describe(
          'Time from the start of one run to the next.',
        ),
      })
      .describe('At an interval.'),
    z
      .strictObject({
        after: text().describe(
          'Name of another activation: one run for each of its successes, whether or not anything changed.',
        ),
      })
      .describe('After another activation.'),
  ],
  { error: 'either { cron, timezone }, { every } or { after }' },
);

const topics = z
  .array(z.enum(['succeeded', 'failed', 'held', 'warnings']))
  .min(1, { error: 'at least one of succeeded, failed, held and warnings' })
  .prefault(['warnings', 'failed', 'held'])
  .describe(
    'What it is told of: runs that succeed, that fail for good, or are held, the last two with their end; and all other warnings.',
  );

/** They are of every post, so that a value of the user's own would break it. */
const OWN_HEADERS = /^(?:content-type|content-length|transfer-encoding|connection|host|x-sluice-.*)$/i;
const HEADER_EXPECTED =
  'the name of a header, other than Host, Connection, Content-Type, Content-Length, Transfer-Encoding and X-Sluice-…';

const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: HEADER_EXPECTED })
  .refine(name => !OWN_HEADERS.test(name), { error: HEADER_EXPECTED });

const notification = z.union(
  [
    z
      .strictObject({
        webhook: secret({
          expected: 'an http or https URL',
          check: value => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
        }).describe('URL that is posted to. Secret.'),
        secret: secret({
          expected: 'text of at least 16 characters',
          check: value => value.length >= 16,
        })
          .exactOptional()
          .describe(
            'Key of at least 16 characters that posts are signed with, in `X-Sluice-Signature`. Secret.',
          ),
        style: z
          .enum(['generic', 'slack', 'teams', 'cloudevents'])
          .default('generic')
          .describe(
            'Shape of the JSON that is posted; `teams` is an Adaptive Card, `cloudevents` what Event Grid takes.',
          ),
        on: topics,
        headers: z
          .record(
            headerName,
            secret({
              expected: 'text of printable characters, without line breaks',
              check: value => /^[\x20-\x7e]+$/.test(value),
            }),
          )
          .prefault({})
          .describe('Headers of every post, such as `aeg-sas-key` of Event Grid. Their values are secret.'),
        samples: z
          .boolean()
          .default(false)
          .describe('Show in the message of a held run which rows it would have published, by their keys.'),
      })
      .describe('A webhook.'),
    z
      .strictObject({
        email: z
          .array(z.email({ error: 'an e-mail address' }))
          .min(1)
          .describe('Addresses that get a mail through `daemon.smtp`.'),
        on: topics,
      })
      .describe('E-mail.'),
  ],
  { error: 'either { webhook, style, on, headers, secret, samples } or { email: [address, …], on }' },
);

const warnings = z
  .strictObject({
    removedRowsOver: percent()
      .exactOptional()
      .describe('Hold a delta run that would remove more than this share of the baseline.'),
    emptyResult: z.boolean().default(false).describe('Warn when the source returns no rows.'),
    sasExpiresWithin: duration()
      .prefault('7d')
      .describe('Warn this long before the SAS token expires; 0 never.'),
    durationOver: duration().exactOptional().describe('Warn when a run takes longer.'),
    rowsDroppedOver: percent()
      .exactOptional()
      .describe('Warn when the source returns this much fewer rows than in the last run.'),
    rowsSpikedOver: percent({ bounds: '0% or more' })
      .exactOptional()
      .describe('Warn when the source returns this much more rows than in the last run.'),
    noSuccessFor: duration().exactOptional().describe('Warn when no run has succeeded for this long.'),
  })
  .describe('When to warn.');

const keepingManifests = z
  .strictObject({
    keep: z
      .union(
        [
          z.literal('all'),
          z
            .int()
            .min(1)
            .transform(runs => ({ runs })),
          duration({ min: 1000, bounds: 'at least 1s' }).transform(ms => ({ ms })),
        ],
        { error: 'all, a number of runs such as 100, or an age such as 30d' },
      )
      .prefault('all')
      .describe(
        'How many manifests of earlier runs are kept, or how long; `latest.json` stays, and those of runs that the history of this machine has.',
      ),
  })
  .describe('Which manifests are kept.');

export const activation = z
  .strictObject({
    model: text().exactOptional().describe('Name of the model to export; or `segment`.'),
    segment: text().exactOptional().describe('Name of the segment to export; or `model`.'),
    destination: text().describe('Name of the destination that the files go to.'),
    fileName: text().describe(
      'Template of the file name. Placeholders: {YYYY} {YY} {MM} {DD} {HH} {mm} {ss} {ms} {X} {x} {run} {activation} {model} {mode} {kind} {part}, and {column.NAME} for a column of `partitionBy`. The extension is added.',
    ),
    partitionBy: z
      .array(text())
      .min(1, { error: 'at least one column' })
      .exactOptional()
      .describe(
        'Columns of the mapping by whose values rows are dealt into files; of the model with `keepPartitionColumns: false`. Values stand in the name: where `fileName` has `{column.NAME}`, else in folders `NAME=VALUE/` before its last segment.',
      ),
    keepPartitionColumns: z
      .boolean()
      .default(true)
      .describe('Whether the columns of `partitionBy` are written into the files too.'),
    maxPartitions: z
      .int()
      .min(1)
      .max(100_000)
      .default(10_000)
      .describe('More partitions than this in one run are taken for a mistake, and fail it.'),
    maxParameterSets: z
      .int()
      .min(1)
      .max(10_000)
      .default(100)
      .describe(
        'With parameters, deltas of `upsert` and `difference` have a baseline for each set of values; one more set than this fails its run.',
      ),
    timezone: timezone().default('UTC').describe('Time zone of the placeholders.'),
    timestampOffset: signedDuration({
      min: -3_660 * 86_400_000,
      max: 3_660 * 86_400_000,
      bounds: 'at most ten years',
    })
      .prefault(0)
      .describe(
        'Added to the instant of the run before the placeholders are resolved; `-1d` names files by yesterday.',
      ),
    format: format.describe('Format of the files, chosen by `type`.'),
    runType: z
      .enum(['full_only', 'full_then_delta'])
      .default('full_only')
      .describe('Export everything every time, or everything once and then the changes.'),
    syncMode: z
      .enum(['snapshot', 'upsert', 'insert', 'difference'])
      .default('snapshot')
      .describe('Which changes are written: see docs/guide/deltas.md.'),
    mapping: z
      .array(mappedColumn)
      .min(1, { error: 'at least one column' })
      .exactOptional()
      .describe('Columns to write, in order; without it every column under its own name.'),
    maxFileSize: size({ min: KIB, bounds: 'at least 1KiB' })
      .exactOptional()
      .describe('Hard limit on the bytes of one file as stored; past it the next part begins.'),
    maxFileRows: z
      .int()
      .min(1)
      .exactOptional()
      .describe('Hard limit on the rows of one file; past it the next part begins.'),
    ifExists: z
      .enum(['overwrite', 'fail', 'skip', 'append'])
      .default('overwrite')
      .describe('What to do when the blob is there already; `append` is for `syncMode: insert` only.'),
    onEmpty: z
      .enum(['write', 'skip', 'fail'])
      .default('write')
      .describe(
        'A file without rows: write it as a valid empty file, or leave it out; `fail` fails a run without any row.',
      ),
    onDuplicateKey: z
      .enum(['fail', 'first'])
      .default('fail')
      .describe('A primary key that comes twice: fail, or keep the first row.'),
    onNullKey: z
      .enum(['fail', 'skip'])
      .default('fail')
      .describe('A primary key that is NULL: fail, or leave the row out.'),
    onSchemaChange: z
      .enum(['full', 'fail'])
      .default('full')
      .describe('Columns, key or mapping changed since the baseline: make a full run, or fail.'),
    onDestinationReset: z
      .enum(['fail', 'full'])
      .default('fail')
      .describe('The container was emptied since the baseline: fail, or make a full run.'),
    onStateLost: z
      .enum(['hold', 'full'])
      .default('hold')
      .describe(
        'The destination knows a baseline and this machine has no state: hold the run, or make a full one.',
      ),
    onSourceMoved: z
      .enum(['hold', 'full'])
      .default('hold')
      .describe(
        'The source is another server than that of the baseline, or stands behind it: hold the run, or make a full one.',
      ),
    onDeltaOverwrite: z
      .enum(['warn', 'fail'])
      .default('warn')
      .describe(
        'The run would replace a delta that an earlier run wrote under the same name, or a file of another activation: warn, or refuse before anything is published.',
      ),
    changeDetection: z
      .enum(['full', 'xmin', 'auto'])
      .default('full')
      .describe(
        'How a delta finds what has changed: `full` reads and compares every row; `xmin` reads rows that were written since the last success, of a model that is a `table`; `auto` does that where it can. See docs/guide/deltas.md.',
      ),
    fullCompareEvery: z
      .strictObject({
        runs: z.int().min(1).default(50).describe('After so many runs.'),
        every: duration({ min: 1000, bounds: 'at least 1s' })
          .prefault('24h')
          .describe('After so long, if that is sooner.'),
      })
      .prefault({})
      .describe('When `xmin` and `auto` compare every row all the same, and prove what xmin has found.'),
    removedRows: z
      .enum(['values', 'keys'])
      .default('values')
      .describe('What `_removed` files hold: the last exported values, or the key only. For `difference`.'),
    stateMemory: size({ min: MIB, bounds: 'at least 1MiB' })
      .prefault('512MiB')
      .describe('Memory that the comparison with the baseline may take.'),
    manifest: z
      .union([z.boolean(), keepingManifests], { error: 'true, false or { keep: all, a count or an age }' })
      .prefault(true)
      .describe('Whether a manifest is written after the files, and how many of earlier runs are kept.'),
    completion: completion.exactOptional(),
    schedule: z.array(scheduleEntry).prefault([]).describe('When the daemon runs the activation by itself.'),
    overlap: z
      .enum(['skip', 'queue'])
      .default('skip')
      .describe('A scheduled run while one is running: leave it out, or run it afterwards.'),
    warnings: warnings.prefault({}).describe('When to warn.'),
    notes: notes.prefault({}),
    notify: z.array(notification).prefault([]).describe('Who is notified of failures and warnings.'),
    blob: blob.exactOptional().describe('Properties of every file; they win over those of the destination.'),
    blockSize: size({ min: KIB, max: 4000 * MIB, bounds: '1KiB to 4000MiB' })
      .exactOptional()
      .describe('Bytes staged at a time; the default follows from `maxFileSize`.'),
    consistency: z
      .enum(['snapshot', 'slice'])
      .default('snapshot')
      .describe(
        'What slices of `sluice begin` hold: all rows of one instant, which takes one slice; or each slice its own. `slice` is for `full_only`; other runs are of one instant in any case. See docs/scale.md.',
      ),
    parallel: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe(
        'Threads that read the source at once, each on a connection of its own; one more connection holds the snapshot. For `full_only` of a `table`; anything else has one reader. See docs/scale.md.',
      ),
  })
  .meta({
    description: 'An export.',
    // Properties are named again, as validators in strict mode ask for.
    oneOf: ['model', 'segment'].map(key => ({ properties: { [key]: {} }, required: [key] })),
  });

export type ActivationConfig = z.output<typeof activation>;
export type RunType = ActivationConfig['runType'];
export type SyncMode = ActivationConfig['syncMode'];
export type MappedColumn = NonNullable<ActivationConfig['mapping']>[number];
