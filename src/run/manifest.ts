import type { ResolvedFormat } from '../config/activation.ts';
import { MANIFEST_FOLDER } from '../config/file-name.ts';
import type { Column } from '../row-batch.ts';
import type { RunRecord } from './run-record.ts';

/** The small JSON blob, written last, that says what a run published. Consumers may rely on its shape. */
export interface Manifest {
  readonly version: 1;
  readonly run: string;
  readonly activation: string;
  readonly generation: number;
  readonly previousGeneration: number;
  readonly runType: RunRecord['runType'];
  readonly full: boolean;
  readonly syncMode: RunRecord['syncMode'];
  readonly trigger: RunRecord['trigger'];
  readonly startedAt: string;
  readonly endedAt: string;
  readonly snapshotTime: string;
  /** With every option, as the files were written. */
  readonly format: ResolvedFormat;
  readonly columns: readonly ManifestColumn[];
  readonly files: RunRecord['files'];
  readonly counts: RunRecord['counts'];
  readonly warnings: RunRecord['warnings'];
}

export interface ManifestColumn {
  readonly name: string;
  readonly source: string;
  /** As the source names it, and as the format wrote it. */
  readonly sourceType: string;
  readonly kind: Column['kind'];
}

export function manifestNames(
  folder: string,
  activation: string,
  run: string,
): { run: string; latest: string } {
  const prefix = `${folder}${MANIFEST_FOLDER}/${activation}/`;
  return { run: `${prefix}${run}.json`, latest: `${prefix}latest.json` };
}

export function toManifestColumn({ name, source, sourceType, kind }: Column): ManifestColumn {
  return { name, source, sourceType, kind };
}

/** Of a manifest that some Sluice wrote, what a later run needs. `undefined` where it is no manifest. */
export function parseManifest(bytes: Buffer): Manifest | undefined {
  try {
    const value = JSON.parse(bytes.toString('utf8')) as Partial<Manifest>;
    const good =
      value.version === 1 &&
      typeof value.run === 'string' &&
      Number.isSafeInteger(value.generation) &&
      Array.isArray(value.files);
    return good ? (value as Manifest) : undefined;
  } catch {
    return undefined;
  }
}
