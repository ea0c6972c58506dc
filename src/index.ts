/** Sluice as a library: what the command does, as functions. */

export type { Clock } from './clock.ts';
export {
  type ResolvedActivation,
  type ResolvedDestination,
  type ResolvedFormat,
  type ResolvedModel,
  type ResolvedSource,
  resolveActivation,
} from './config/activation.ts';
export { ConfigInvalidError } from './config/checks/problems.ts';
export {
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
  type ParseOptions,
  parseConfig,
} from './config/load.ts';
export { configJsonSchema, type JsonSchema } from './config/schema/json-schema.ts';
export type { Config } from './config/schema/schema.ts';
export { Redactor, Secret } from './config/secrets.ts';
export type { ConfigProblem } from './config/tree/located-tree.ts';
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
export type {
  RunCounts,
  RunError,
  RunFile,
  RunRecord,
  RunWarning,
  WarningCode,
} from './history/run-record.ts';
export type { RunState } from './history/run-state.ts';
export type { Manifest, ManifestColumn } from './publish/manifest.ts';
export type { Column, ColumnKind } from './row-batch.ts';
export { type ExportRequest, type ExportResult, exportRun, type RunProgress } from './run/export-run.ts';
export { type Preview, type PreviewRequest, previewActivation } from './run/preview.ts';
export {
  type Check,
  type CheckName,
  type Validation,
  type ValidationRequest,
  validateActivation,
} from './run/validation/validate.ts';
