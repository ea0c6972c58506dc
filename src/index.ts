/** Sluice as a library: what the command does, as functions. */

export {
  type ResolvedActivation,
  type ResolvedDestination,
  type ResolvedFormat,
  type ResolvedModel,
  type ResolvedSource,
  resolveActivation,
} from './config/activation.ts';
export { configJsonSchema, type JsonSchema } from './config/json-schema.ts';
export {
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
  type ParseOptions,
  parseConfig,
} from './config/load.ts';
export type { ConfigProblem } from './config/located-tree.ts';
export { ConfigInvalidError } from './config/problems.ts';
export type { Config } from './config/schema.ts';
export { Redactor, Secret } from './config/secrets.ts';
export type { Operations } from './daemon/operations.ts';
export { type ServeOptions, type ServingDaemon, serveDaemon } from './daemon/serve-daemon.ts';
export {
  ERROR_KINDS,
  type ErrorCategory,
  type ErrorCode,
  type ErrorStage,
  EXIT,
  SluiceError,
} from './errors.ts';
export type { Column, ColumnKind } from './row-batch.ts';
export type { Clock } from './run/commit.ts';
export { type ExportRequest, type ExportResult, exportRun, type RunProgress } from './run/export-run.ts';
export type { Manifest, ManifestColumn } from './run/manifest.ts';
export { type Preview, type PreviewRequest, previewActivation } from './run/preview.ts';
export type {
  RunCounts,
  RunError,
  RunFile,
  RunRecord,
  RunState,
  RunWarning,
  WarningCode,
} from './run/run-record.ts';
export {
  type Check,
  type CheckName,
  type Validation,
  type ValidationRequest,
  validateActivation,
} from './run/validate.ts';
