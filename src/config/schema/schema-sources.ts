/** `sources`, `models` and `segments` of the configuration: where rows come from. */

import * as z from 'zod';
import type { ColumnKind } from '../../row-batch.ts';
import { PARAMETER_TYPES } from '../parameters/parameter-types.ts';
import { parseTableName } from '../postgres/table-name.ts';
import { postgresAddressKeys } from './schema-postgres.ts';
import { secret } from './secret-schema.ts';
import { duration, durationOrNone, text, timezone, writtenNumber } from './values.ts';

const optionalAddressKeys = z.strictObject(postgresAddressKeys).partial().shape;

const identity = z
  .strictObject({
    identity: z
      .literal('default')
      .describe('Managed identity, workload identity or `az login`, whichever is found first.'),
    scope: text()
      .default('https://ossrdbms-aad.database.windows.net/.default')
      .describe('What tokens are for; the default is Azure Database for PostgreSQL.'),
  })
  .describe(
    'In the place of a password: each connection logs in with a token of an identity of Azure. Needs sslmode require, verify-ca or verify-full.',
  );

export const postgresSource = z
  .strictObject({
    type: z.literal('postgres').describe('Rows come from a PostgreSQL query.'),
    url: secret({ expected: 'a URL that starts with postgres:// or postgresql://' })
      .exactOptional()
      .describe(
        'Connection URL, with the meaning of libpq; the keys from `host` on may stand in its place, and in it as parameters. See docs/guide/postgres.md. Secret.',
      ),
    ...optionalAddressKeys,
    auth: identity.exactOptional(),
    connectTimeout: duration({ min: 1, bounds: 'more than 0' })
      .prefault('10s')
      .describe('How long connecting and logging in may take, for each host.'),
    inactivityTimeout: duration()
      .prefault('30m')
      .describe('How long the source may send nothing before the run is given up; 0 waits forever.'),
    statementTimeout: durationOrNone()
      .prefault(0)
      .describe(
        'PostgreSQL `statement_timeout` of the run; 0 keeps the setting of the server or the role, `none` switches it off.',
      ),
    lockTimeout: durationOrNone()
      .prefault(0)
      .describe(
        'PostgreSQL `lock_timeout` of the run; 0 keeps the setting of the server or the role, `none` switches it off.',
      ),
    rowSecurity: z
      .enum(['refuse', 'apply'])
      .default('refuse')
      .describe(
        'What policies that hide rows from the role do: `refuse` fails the run, `apply` exports what the role may see.',
      ),
    timezone: timezone()
      .exactOptional()
      .describe(
        'Time zone in which the SQL runs; without it that of the role or the database. Instants are written in UTC whatever it is.',
      ),
    fetchSize: z
      .int()
      .min(0)
      .max(2_147_483_647)
      .default(0)
      .describe('Rows asked for at a time; 0 asks for all and lets the network hold the server back.'),
    applicationName: text()
      .max(63)
      .default('sluice')
      .describe('`application_name` that the database shows for the connection.'),
  })
  .describe('A PostgreSQL database.');

export const COLUMN_KINDS = [
  'text',
  'boolean',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'numeric',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
  'json',
  'bytes',
] as const satisfies readonly ColumnKind[];

const jsonColumn = z
  .strictObject({
    name: text().describe('Key of the objects.'),
    type: z
      .enum(COLUMN_KINDS)
      .default('text')
      .describe('Type of the values; `text` and `json` take anything. See docs/guide/json-sources.md.'),
  })
  .describe('A column of a JSON source.');

export const jsonSource = z
  .strictObject({
    type: z.literal('json').describe('Rows come from JSON files.'),
    path: text().describe(
      'A `.json` array, an `.ndjson` file or gzip of either; a path or a glob, relative to the configuration file.',
    ),
    layout: z
      .enum(['auto', 'array', 'lines'])
      .default('auto')
      .describe(
        '`array`: one array of objects; `lines`: an object per line; `auto`: by the name of each file.',
      ),
    columns: z
      .array(jsonColumn)
      .min(1)
      .refine(columns => new Set(columns.map(({ name }) => name)).size === columns.length, {
        error: 'columns with different names',
      })
      .exactOptional()
      .describe('Columns and their types. Without them they are found in the first rows.'),
    inferRows: z
      .int()
      .min(1)
      .max(100_000_000)
      .default(1000)
      .describe('Rows that columns are found in where none are declared.'),
    unknownKeys: z
      .enum(['fail', 'ignore'])
      .default('fail')
      .describe('What a key does that is not a column: fail the run, or leave its values out.'),
  })
  .describe('JSON or NDJSON files.');

export const source = z.discriminatedUnion('type', [postgresSource, jsonSource]);

const parameterName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, {
  error: 'a name of up to 63 letters, digits and _, that does not start with a digit',
});

const parameter = z
  .strictObject({
    type: z.enum(PARAMETER_TYPES).describe('What its values are.'),
    default: z
      .union(
        [
          z.string().describe('Text.'),
          writtenNumber().describe('A number.'),
          z.boolean().describe('Either.'),
        ],
        {
          error: 'text, a number, true or false',
        },
      )
      .transform(String)
      .exactOptional()
      .describe(
        'Its value where a run is given none. Of a date or timestamp also `{run_time}`, or so much before or after it, such as `{run_time-1d}`.',
      )
      .meta({ title: 'text, number or boolean' }),
  })
  .describe('A parameter.');

export const model = z
  .strictObject({
    source: text().describe('Name of the source that the rows come from.'),
    sql: text()
      .exactOptional()
      .describe(
        'One SQL statement that reads. A postgres source needs it or `table`; a json source takes neither.',
      ),
    table: text()
      .refine(name => parseTableName(name) !== undefined, {
        error: 'a table with its schema, such as sales.orders; names in quotes keep upper case',
      })
      .exactOptional()
      .describe(
        'A table with its schema, such as `sales.orders`, in the place of `sql`. The primary key is that of the catalogue where `primaryKey` names none.',
      ),
    columns: z
      .array(text())
      .min(1, { error: 'at least one column' })
      .exactOptional()
      .describe('Columns of `table`, in order; without it all of them.'),
    where: text()
      .exactOptional()
      .describe("SQL condition over the columns of `table`, such as `country = 'FR'`."),
    params: z
      .record(parameterName, parameter)
      .exactOptional()
      .describe(
        'Parameters of the query and of filters of it, by name: `:day` there stands for a value, bound by the driver. Also empty, for the parameters that are built in, `:run_time` and `:last_success`.',
      ),
    primaryKey: z
      .array(text())
      .default([])
      .describe(
        'Columns that identify a row. Required by `runType: full_then_delta`, except of a `table` that has a primary key.',
      ),
  })
  .describe('A named query or table, and its key.');

export const segment = z
  .strictObject({
    model: text().describe('Name of the model to filter.'),
    where: text().describe("SQL condition over the model's columns, such as `country = 'FR'`."),
  })
  .describe('A model with a filter.');
