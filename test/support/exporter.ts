import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ResolvedActivation, resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import { type ExportRequest, type ExportResult, exportRun } from '../../src/run/export-run.ts';
import { getAzurite, type TestContainer } from './azurite.ts';
import { getPostgres, type TestDatabase } from './postgres.ts';

type Settings = Record<string, unknown>;

/**
 * A database, a container and a data directory of a test's own, and activations between
 * them.
 */
export class Exporter {
  readonly database: TestDatabase;
  readonly container: TestContainer;
  readonly dataDirectory: string;

  private constructor(database: TestDatabase, container: TestContainer, dataDirectory: string) {
    this.database = database;
    this.container = container;
    this.dataDirectory = dataDirectory;
  }

  static async open(): Promise<Exporter> {
    const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
    const database = await postgres.createDatabase();
    const container = await azurite.createContainer();
    return new Exporter(database, container, await mkdtemp(join(tmpdir(), 'sluice-run-')));
  }

  /**
   * An activation `name` of the query, with the keys of an activation and of the other
   * sections as they are given.
   */
  activation(
    settings: Settings & {
      sql?: string;
      primaryKey?: string[];
      /** In the place of `sql` and `primaryKey`: a table, and what belongs to it. */
      model?: Settings;
      where?: string;
      source?: Settings;
      destination?: Settings;
      daemon?: Settings;
    },
  ): ResolvedActivation {
    const {
      sql = 'select * from t',
      primaryKey = ['id'],
      model = { sql, primaryKey },
      where,
      source,
      destination,
      daemon,
      name = 'exported',
      ...own
    } = settings;
    const { connectionString, container } = this.container;
    const config = {
      version: 1,
      dataDirectory: this.dataDirectory,
      sources: { db: { type: 'postgres', url: this.database.url, ...source } },
      destinations: {
        lake:
          destination?.['type'] === undefined
            ? { type: 'azure-blob', container, auth: { connectionString }, ...destination }
            : destination,
      },
      models: { m: { source: 'db', ...model } },
      ...(daemon === undefined ? {} : { daemon }),
      ...(where === undefined ? {} : { segments: { s: { model: 'm', where } } }),
      activations: {
        [name as string]: {
          ...(where === undefined ? { model: 'm' } : { segment: 's' }),
          destination: 'lake',
          fileName: 'out',
          format: { type: 'csv' },
          ...own,
        },
      },
    };
    const loaded = parseConfig({ text: JSON.stringify(config), environment: {} });
    return resolveActivation(loaded.config, name as string);
  }

  run(activation: ResolvedActivation, request: Partial<ExportRequest> = {}): Promise<ExportResult> {
    return exportRun({ trigger: 'command', signal: new AbortController().signal, activation, ...request });
  }

  /** Names of the blobs that hold rows; manifests are left out. */
  async files(): Promise<string[]> {
    return (await this.container.list()).filter(name => !name.includes('_sluice/'));
  }

  /** The lines of a CSV file, in order of text after the first. */
  async lines(name: string): Promise<string[]> {
    const [head, ...rows] = (await this.container.download(name)).toString().trimEnd().split('\n');
    return [head!, ...rows.sort()];
  }

  async manifest(activation: string, name = 'latest'): Promise<Record<string, unknown>> {
    return JSON.parse((await this.container.download(`_sluice/${activation}/${name}.json`)).toString());
  }

  async close(): Promise<void> {
    await Promise.all([
      this.database.drop(),
      this.container.drop(),
      rm(this.dataDirectory, { recursive: true }),
    ]);
  }
}

export async function withExporter(act: (exporter: Exporter) => Promise<void>): Promise<void> {
  const exporter = await Exporter.open();
  try {
    await act(exporter);
  } finally {
    await exporter.close();
  }
}
