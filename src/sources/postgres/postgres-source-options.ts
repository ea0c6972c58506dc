import type { PostgresConnectionOptions } from './connection/postgres-connection.ts';
import type { ModelTable } from './model-query.ts';
import type { ModelParameters } from './parameter-oids.ts';

export interface PostgresSourceOptions extends PostgresConnectionOptions {
  /** Name of the source and of the model, for messages. */
  readonly name: string;
  readonly modelName: string;
  readonly sql: string;
  /** In the place of the query. */
  readonly table?: ModelTable | undefined;
  readonly where?: string | undefined;
  readonly inactivityTimeoutMs: number;
  /** 0 keeps what the server or the role has set. */
  readonly statementTimeoutMs: number | 'none';
  readonly lockTimeoutMs: number | 'none';
  /** What policies that hide rows do: fail the query, or hide them. */
  readonly rowSecurity: 'refuse' | 'apply';
  /** The time zone in which the model runs; absent, the role's or the database's. */
  readonly timezone?: string | undefined;
  /** Rows of one Execute; 0 is all. */
  readonly fetchSize: number;
  /** Values by name, where `:name` in the model stands for one. */
  readonly parameters?: ModelParameters | undefined;
  /** Whether it is to be found out which rows have changed since an earlier snapshot. */
  readonly findsChanges?: boolean;
  /** Whether its rows are to be divided among several readers. */
  readonly divides?: boolean;
  /** One that another connection has exported, for a reader of slices. */
  readonly snapshot?: string;
  /** Rows above it are refused; at least 256 KiB. */
  readonly maxRowBytes?: number;
}
