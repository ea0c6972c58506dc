/** Sluice as a library: see docs/guide/library.md. */

export type { OwnParts } from './assemble.ts';
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
export type { ServeOptions, ServingDaemon } from './daemon/serve-daemon.ts';
export {
  type BufferingEncoder,
  type Encoder,
  type FlushedRows,
  isBuffering,
  type OutputBuffer,
} from './encoders/encoder.ts';
export {
  ERROR_KINDS,
  type ErrorCategory,
  type ErrorCode,
  type ErrorStage,
  EXIT,
  SluiceError,
} from './errors.ts';
export { findRun, type RunList } from './history/record-files.ts';
export type {
  HeldReason,
  RunCounts,
  RunError,
  RunFile,
  RunRecord,
  RunWarning,
  WarningCode,
} from './history/run-record.ts';
export type { RunState } from './history/run-state.ts';
export {
  type BackupListRequest,
  type BackupRequest,
  backupState,
  listBackups,
  listRuns,
  type ResetRequest,
  type RestoreRequest,
  type RunsRequest,
  resetState,
  restoreState,
} from './library/keeping.ts';
export { batchesOf, type Row, type RowValue, valuesOf } from './library/rows.ts';
export {
  type ExportRequest,
  exportRun,
  type PlanRequest,
  type PreviewRequest,
  planActivation,
  previewActivation,
  type ValidationRequest,
  type VerifyRequest,
  validateActivation,
  verifyRun,
} from './library/running.ts';
export { serveDaemon } from './library/serving.ts';
export type { Manifest, ManifestColumn } from './publish/manifest.ts';
export { Change, type Column, type ColumnKind, type RowBatch } from './row-batch.ts';
export type { ExportResult, RunProgress } from './run/export-run.ts';
export { exportTo } from './run/export-to.ts';
export type { Plan, PlannedFile } from './run/plan/plan-activation.ts';
export type { Preview } from './run/preview.ts';
export type { Check, CheckName, Validation } from './run/validation/validate.ts';
export type {
  BlobBlocks,
  BlobProperties,
  BlobWriteProperties,
  CommitOptions,
  Destination,
  Precondition,
  StageOptions,
  WriteOutcome,
} from './sinks/sink.ts';
export type { EndOfData, RowSource, SourceDescription } from './sources/source.ts';
export type { BackupReport } from './state/back-up-state.ts';
export {
  type BaselineDescription,
  describeState,
  type SetDescription,
  type StateDescription,
} from './state/describe-state.ts';
export type { BackupList, BackupSummary } from './state/list-backups.ts';
export type { ResetReport } from './state/reset-state.ts';
export type { RestoreReport } from './state/restore-state.ts';
export type { Finding, FindingCode } from './verify/finding.ts';
export type { FileVerification } from './verify/verify-file.ts';
export type { Verification } from './verify/verify-run.ts';
