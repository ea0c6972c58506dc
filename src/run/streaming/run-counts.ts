import { NO_COUNTS, type RunCounts } from '../../history/run-record.ts';
import type { RollingBlobSink } from '../../sinks/rolling-blob-sink.ts';
import type { HashDiff } from '../../transforms/hash-diff.ts';

/** What a run counts once everything is staged. */
export function countsOf(read: number, diff: HashDiff | undefined, sink: RollingBlobSink): RunCounts {
  const written = sink.rowsWritten;
  const bytes = sink.files.reduce((sum, file) => sum + file.bytes - (file.resumed?.bytes ?? 0), 0);
  if (diff === undefined) return { ...NO_COUNTS, read, added: read, written, bytes };
  const { added, updated, removed, unchanged, nullKeys, duplicateKeys } = diff.counts;
  return {
    read: diff.candidates === undefined ? read : diff.counts.read,
    added,
    updated,
    removed,
    unchanged,
    skipped: nullKeys + duplicateKeys,
    written,
    bytes,
  };
}
