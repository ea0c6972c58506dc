import * as z from 'zod';
import type { NoteCode } from '../../../config/schema/note-kinds.ts';
import { COLUMN_KINDS } from '../../../config/schema/schema-sources.ts';
import type { RunRecord } from '../../../history/run-record.ts';
import type { ShownColumn } from '../../../row-batch.ts';
import type { Preview } from '../../../run/preview.ts';
import type { CheckName } from '../../../run/validation/validate.ts';
import type { ValidationReport } from '../../../run/validation/validation-report.ts';
import type { ActivationConfiguration, ActivationStatus, ReloadOutcome } from '../../operations.ts';
import { component, count, instant, openEnum, type SameShape } from './component.ts';
import { errorSchema } from './error-schema.ts';
import {
  listedRun,
  listedRunSchema,
  recentRunSchema,
  runProgressSchema,
  runSchema,
  runType,
  syncMode,
} from './run-schema.ts';

const pauseSchema = component(
  'Pause',
  z
    .object({
      by: z.enum(['user', 'failures']).describe('`failures`: the activation paused itself.'),
      since: instant(),
      reason: z.string(),
    })
    .describe('Why no run of the activation begins.'),
);

const activeWarningSchema = component(
  'ActiveWarning',
  z
    .object({
      code: z.string().describe('Stable name of the warning.'),
      message: z.string(),
      since: instant(),
      run: z.string().exactOptional().describe('The run that raised it, where a run did.'),
    })
    .describe('A warning that holds now.'),
);

export const activationSchema = component(
  'Activation',
  z
    .object({
      name: z.string(),
      model: z.string(),
      segment: z.string().exactOptional(),
      destination: z.string(),
      format: z.string(),
      runType,
      syncMode,
      paused: pauseSchema.exactOptional().describe('Present while the activation is paused.'),
      running: z.string().exactOptional().describe('Id of the run under way.'),
      queued: z.array(z.string()).describe('Ids of the runs that wait.'),
      lastRun: runSchema.exactOptional(),
      recent: z.array(recentRunSchema).describe('The last runs that have ended, up to 30, the newest last.'),
      lastSuccessAt: instant().exactOptional(),
      nextRunAt: instant().exactOptional().describe('When the next scheduled run is due.'),
      warnings: z.array(activeWarningSchema),
    })
    .describe('An activation of the configuration, and how it stands.')
    .meta({
      examples: [
        {
          name: 'customers_to_lake',
          model: 'customers',
          segment: 'french_customers',
          destination: 'lake',
          format: 'csv',
          runType: 'full_then_delta',
          syncMode: 'difference',
          queued: [],
          recent: [],
          lastSuccessAt: '2025-04-14T07:00:04.908Z',
          nextRunAt: '2025-04-15T05:00:00.000Z',
          warnings: [],
        },
      ],
    }),
);
true satisfies SameShape<typeof activationSchema, ActivationStatus>;

export const listedActivationSchema = component(
  'ListedActivation',
  activationSchema
    .extend({ lastRun: listedRunSchema.exactOptional() })
    .describe('An activation with its last run without the files.')
    .meta({}),
);

/** As it stands in a list. */
export function listedActivation(status: ActivationStatus): z.output<typeof listedActivationSchema> {
  const { lastRun, ...rest } = status as z.output<typeof activationSchema>;
  return { ...rest, ...(lastRun && { lastRun: listedRun(lastRun as RunRecord) }) } as z.output<
    typeof listedActivationSchema
  >;
}

export const activationListSchema = component(
  'ActivationList',
  z
    .object({ activations: z.array(listedActivationSchema).describe('By name.') })
    .describe('Every activation.'),
);

export const activationConfigurationSchema = component(
  'ActivationConfiguration',
  z
    .object({
      activation: z.string(),
      source: z.string().describe('Name of the source.'),
      sql: z
        .string()
        .exactOptional()
        .describe(
          'The query of the model, without values of references; absent where it has a table, or the source takes none.',
        ),
      table: z
        .object({
          schema: z.string(),
          name: z.string(),
          columns: z.array(z.string()).readonly().exactOptional().describe('Absent where all are read.'),
          where: z.string().exactOptional().describe('The filter of the model.'),
        })
        .exactOptional()
        .describe('The table of the model, in the place of a query.'),
      where: z.string().exactOptional().describe('The filter of the segment.'),
      primaryKey: z
        .array(z.string())
        .describe('As the model names it; a table without one has the key of the catalogue.'),
      url: z.string().describe('Where files go, without credentials; the name of a file follows.'),
      fileName: z.string().describe('Template of the name of the files.'),
      schedule: z
        .array(
          z.object({
            entry: z.string().describe('As it is configured.'),
            words: z.string().describe('As somebody would say it.'),
          }),
        )
        .describe('When runs begin by themselves.'),
      upcoming: z.array(instant()).describe('The next five instants that are due.'),
      leftOut: z
        .array(z.object({ dueAt: instant(), reason: z.string() }))
        .describe('Scheduled runs that were left out since the daemon began, the newest last.'),
      settings: z
        .record(z.string(), z.unknown())
        .describe('Every setting of the activation, its source and its destination; secrets are hidden.'),
    })
    .describe('What an activation is made of, and when it is due.'),
);
true satisfies SameShape<typeof activationConfigurationSchema, ActivationConfiguration>;

/** The shape of each event's data, by the event's name. */
export const CHANGE_EVENTS = {
  activation: listedActivationSchema,
  run: listedRunSchema,
  progress: runProgressSchema,
  configuration: component(
    'ConfigurationRead',
    z.object({ reloaded: z.literal(true) }).describe('The configuration was read again.'),
  ),
} as const;

const columnSchema = component(
  'Column',
  z
    .object({
      name: z.string().describe('Name in the file.'),
      source: z.string().describe('Name in the model.'),
      kind: z.enum(COLUMN_KINDS),
      sourceType: z.string().describe('The type as the source names it, such as `numeric(12,2)`.'),
      precision: z.int().exactOptional(),
      scale: z.int().exactOptional(),
    })
    .describe('A column of the files.')
    .meta({ examples: [{ name: 'id', source: 'id', kind: 'int64', sourceType: 'bigint' }] }),
);
true satisfies SameShape<typeof columnSchema, ShownColumn>;

const checkName = z.enum([
  'names',
  'state',
  'source',
  'mapping',
  'key',
  'partitions',
  'changes',
  'readers',
  'format',
  'destination',
  'sas',
] as const satisfies readonly CheckName[]);

const noteSchema = component(
  'Note',
  z
    .object({
      code: openEnum<NoteCode>().describe('Stable name of the note.'),
      message: z.string().describe('What was seen, and why it matters.'),
      hint: z.string().describe('The way out.'),
    })
    .describe('Something that works and should be known: no check fails for it.'),
);

export const validationSchema = component(
  'Validation',
  z
    .object({
      activation: z.string(),
      passed: z.boolean().describe('Whether no check failed: a run now would work.'),
      checks: z.array(
        z.object({
          check: checkName,
          outcome: z.enum(['passed', 'warned', 'failed']),
          message: z.string(),
          error: errorSchema.exactOptional().describe('With `failed`.'),
        }),
      ),
      columns: z
        .array(columnSchema)
        .describe('What files would hold; empty where it could not be found out.'),
      names: z.array(z.string()).describe('Names of the blobs that a run now would write first.'),
      notes: z
        .array(noteSchema)
        .describe(
          'What works and causes trouble later, without what `notes.ignore` of the configuration names.',
        ),
    })
    .describe('What was found out about an activation without running it.'),
);
true satisfies SameShape<typeof validationSchema, ValidationReport>;

export const previewSchema = component(
  'Preview',
  z
    .object({
      columns: z.array(columnSchema),
      rows: z
        .array(z.array(z.string().nullable()))
        .describe(
          'Values as the source sent them, column by column; `null` for NULL. One of more than 4 KiB is cut, and ends with its size, as in `… (1048576 bytes)`.',
        ),
      cutValues: count().describe('How many of the values are cut.'),
      complete: z.boolean().describe('Whether these are all the rows that there are.'),
    })
    .describe('The first mapped rows.')
    .meta({
      examples: [
        {
          columns: [{ name: 'id', source: 'id', kind: 'int64', sourceType: 'bigint' }],
          rows: [['1'], ['2']],
          cutValues: 0,
          complete: false,
        },
      ],
    }),
);
true satisfies SameShape<typeof previewSchema, Preview>;

const names = (about: string) => z.array(z.string()).describe(about);

export const reloadSchema = component(
  'ReloadOutcome',
  z
    .object({
      added: names('Activations that are new.'),
      removed: names('Activations that are gone.'),
      changed: names('Activations that are otherwise than before.'),
      settings: names('Settings of the section `daemon` that are otherwise than before.'),
      needsRestart: names('Those settings among them that hold only after a restart.'),
    })
    .describe('What the new configuration changed.')
    .meta({
      examples: [
        {
          added: ['orders'],
          removed: [],
          changed: ['customers_to_lake'],
          settings: ['daemon.concurrency', 'daemon.port'],
          needsRestart: ['daemon.port'],
        },
      ],
    }),
);
true satisfies SameShape<typeof reloadSchema, ReloadOutcome>;

export const aliveSchema = component(
  'Alive',
  z.object({ status: z.literal('alive') }).describe('The daemon answers.'),
);

export const readinessSchema = component(
  'Readiness',
  z
    .object({
      state: z.enum(['starting', 'ready', 'stopping']),
      version: z.string().exactOptional(),
      startedAt: instant().exactOptional(),
      running: count().exactOptional().describe('Runs under way.'),
      queued: count().exactOptional().describe('Runs that wait.'),
      problems: z
        .array(z.string())
        .exactOptional()
        .describe('What is wrong and does not keep the daemon from working.'),
    })
    .describe('Whether the daemon takes requests. All but `state` is for callers with a token that may look.')
    .meta({ examples: [{ state: 'ready' }] }),
);
