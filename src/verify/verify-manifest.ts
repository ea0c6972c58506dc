import { isDeepStrictEqual } from 'node:util';
import type { ResolvedActivation, ResolvedFormat } from '../config/activation.ts';
import { format as formatSchema } from '../config/schema/schema-formats.ts';
import type { RunFile, RunRecord } from '../history/run-record.ts';
import type { Manifest } from '../publish/manifest.ts';
import { CHECKSUMS } from '../sinks/sink.ts';
import type { Finding } from './finding.ts';

export interface CheckedManifest {
  readonly findings: readonly Finding[];
  /**
   * What the manifest says, or where it says nothing usable, what the local history does.
   */
  readonly files: readonly RunFile[];
  readonly columns: readonly string[] | undefined;
  /**
   * How the files were written; where the manifest does not tell, how they would be
   * written now.
   */
  readonly format: ResolvedFormat;
}

/**
 * Holds a manifest against itself, the configuration and what is remembered of the run.
 */
export function checkManifest({
  manifest,
  activation,
  run,
  record,
}: {
  readonly manifest: Manifest | undefined;
  readonly activation: ResolvedActivation;
  readonly run: string;
  readonly record: RunRecord | undefined;
}): CheckedManifest {
  const findings: Finding[] = [];
  const find = (code: Finding['code'], message: string): void => void findings.push({ code, message });
  if (manifest === undefined || !manifest.files.every(isRunFile)) {
    find('MANIFEST_DAMAGED', 'what is there is no manifest');
    return { findings, files: record?.files ?? [], columns: undefined, format: activation.format };
  }
  const { files, counts, generation } = manifest;
  if (manifest.run !== run || manifest.activation !== activation.name)
    find('MANIFEST_DAMAGED', `it is that of run ${manifest.run} of ${manifest.activation}`);
  const sums = {
    written: sum(files, file => file.rows - (file.appended?.fromRow ?? 0)),
    bytes: sum(files, file => file.bytes - (file.appended?.fromByte ?? 0)),
  };
  for (const [what, total] of Object.entries(sums)) {
    const said = counts?.[what as keyof typeof sums];
    if (said !== total) find('MANIFEST_DAMAGED', `its files have ${total} ${what} together, it says ${said}`);
  }
  findings.push(...nameFindings(files, activation));
  if (record !== undefined && record.state !== 'failed') {
    if (!isDeepStrictEqual(record.files.map(identity), files.map(identity)))
      find('MANIFEST_DIFFERS', 'its files are not those that the local history has of the run');
    else if (record.generation !== generation)
      find('MANIFEST_DIFFERS', `it says generation ${generation}, the local history ${record.generation}`);
  }
  const columns = columnNames(manifest);
  if (columns === undefined) find('MANIFEST_DAMAGED', 'it does not name its columns');
  // Manifests of earlier versions have none.
  const format = formatSchema.safeParse(manifest.format ?? activation.format);
  if (!format.success) find('MANIFEST_DAMAGED', 'it does not say how its files were written');
  return { findings, files, columns, format: format.data ?? activation.format };
}

function nameFindings(files: readonly RunFile[], activation: ResolvedActivation): Finding[] {
  const { folder } = activation.destination;
  const findings: Finding[] = [];
  const names = new Set<string>();
  const parts = new Map<string, number[]>();
  for (const { name, change = 'every row', partition, part } of files) {
    const series = partition === undefined ? change : `${change} of ${JSON.stringify(partition)}`;
    if (names.has(name)) findings.push({ code: 'NAME', message: `${name} is listed twice` });
    if (!name.startsWith(folder)) findings.push({ code: 'NAME', message: `${name} is not below ${folder}` });
    names.add(name);
    parts.set(series, [...(parts.get(series) ?? []), part]);
  }
  for (const [series, numbers] of parts) {
    numbers.sort((a, b) => a - b);
    // A run that appends begins with the last part that is there.
    const first = activation.ifExists === 'append' ? numbers[0]! : 1;
    if (numbers.some((number, index) => number !== first + index))
      findings.push({ code: 'NAME', message: `parts of ${series} are ${numbers.join(', ')}` });
  }
  return findings;
}

/**
 * What must be the same wherever a file is told of; a recovered run may have been
 * recorded without ETags.
 */
function identity({ name, change, partition, part, rows, bytes, ...checksums }: RunFile): unknown {
  return [name, change, partition, part, rows, bytes, ...CHECKSUMS.map(checksum => checksums[checksum])];
}

function isRunFile(file: Partial<RunFile> | null): boolean {
  if (file === null || typeof file !== 'object') return false;
  const { name, part, rows, bytes } = file;
  return (
    typeof name === 'string' &&
    CHECKSUMS.every(checksum => ['string', 'undefined'].includes(typeof file[checksum])) &&
    [part, rows, bytes].every(number => Number.isSafeInteger(number))
  );
}

function columnNames({ columns }: Partial<Manifest>): string[] | undefined {
  if (!Array.isArray(columns)) return undefined;
  const names = columns.map(column => (column as { name?: unknown } | null)?.name);
  return names.every(name => typeof name === 'string') ? names : undefined;
}

function sum(files: readonly RunFile[], of: (file: RunFile) => number): number {
  return files.reduce((total, file) => total + of(file), 0);
}
