/**
 * The one schema of `sluice.yaml`: types, defaults, errors, the editor's JSON Schema and
 * the reference page all come from here. Rules that look at several keys are in rules.ts.
 */

import * as z from 'zod';
import type { PostgresAddress } from '../../addresses/postgres-address.ts';
import { destination } from '../destinations/destinations.ts';
import { activation } from './schema-activations.ts';
import { daemon } from './schema-daemon.ts';
import { notes } from './schema-notes.ts';
import { queue } from './schema-queue.ts';
import { model, segment, source } from './schema-sources.ts';
import { state } from './schema-state.ts';
import { entryName, text } from './values.ts';

export type { DestinationAuth } from '../destinations/azure-blob.ts';
export type { DestinationConfig } from '../destinations/destinations.ts';
export type { ActivationConfig, MappedColumn, RunType, SyncMode } from './schema-activations.ts';
export type { DaemonConfig } from './schema-daemon.ts';
export type { CsvFormat, FormatConfig, JsonFormat, ParquetFormat, XmlFormat } from './schema-formats.ts';

/** Sections whose entries are named by the user. */
export const NAMED_SECTIONS = {
  sources: source,
  destinations: destination,
  models: model,
  segments: segment,
  activations: activation,
} as const;
export type NamedSection = keyof typeof NAMED_SECTIONS;

export const configSchema = z
  .strictObject({
    version: z.literal(1, { error: '1' }).describe('Version of the configuration format.'),
    dataDirectory: text()
      .default('./.sluice')
      .describe('Folder of state, run journal and history, relative to the configuration file.'),
    sources: z.record(entryName, source).default({}).describe('Connections that rows come from, by name.'),
    destinations: z.record(entryName, destination).default({}).describe('Where files go, by name.'),
    models: z.record(entryName, model).default({}).describe('Queries, by name.'),
    segments: z.record(entryName, segment).default({}).describe('Models with a filter, by name.'),
    activations: z.record(entryName, activation).default({}).describe('Exports, by name.'),
    state: state.exactOptional(),
    queue: queue.exactOptional(),
    notes: notes.prefault({}).describe('Which notes of `validate` are given, for every activation.'),
    daemon: daemon.prefault({}).describe('Settings of `sluice serve`.'),
  })
  .describe('Configuration of Sluice.');

/**
 * As the schema parses it: defaults filled in, sizes in bytes, durations in milliseconds,
 * secrets wrapped.
 */
export type ParsedConfig = z.output<typeof configSchema>;
type ParsedSource = z.output<typeof source>;
export type PostgresConfig = Extract<ParsedSource, { type: 'postgres' }>;

/** `address` is what `url`, or the keys in its place, say. */
export type SourceConfig =
  | (PostgresConfig & { address: PostgresAddress })
  | Exclude<ParsedSource, PostgresConfig>;

/** A checked configuration. */
export type Config = Omit<ParsedConfig, 'sources'> & { sources: Record<string, SourceConfig> };
export type ModelConfig = z.output<typeof model>;
export type SegmentConfig = z.output<typeof segment>;
