import type { ResolvedActivation } from '../../config/activation.ts';
import { isSameSet } from '../../config/parameters/bind-parameters.ts';
import { listRuns } from '../../history/record-files.ts';
import type { ParameterValues } from '../../history/run-record.ts';
import { isSuccess } from '../../history/run-state.ts';
import { readLatest } from '../../publish/latest-manifest.ts';
import type { BlobStore } from '../../sinks/sink.ts';

/** Records that are read at a time. */
const PAGE = 100;

/**
 * The snapshot time of the last success with these values, as the local history has it,
 * else as the destination does; `null` before the first.
 */
export async function lastSuccessWith(
  values: ParameterValues,
  {
    activation,
    store,
  }: { readonly activation: ResolvedActivation; readonly store: Pick<BlobStore, 'getBlob' | 'head'> },
): Promise<string | null> {
  const { name, dataDirectory } = activation;
  for (let before: string | undefined; ; ) {
    const page = { dataDirectory, activation: name, limit: PAGE, ...(before !== undefined && { before }) };
    const { records } = await listRuns(page);
    // One that left its files as they were has read nothing, and has no generation.
    const found = records.find(
      record => isSuccess(record) && record.generation > 0 && isSameSet(record.params, values),
    );
    if (found?.snapshotTime !== undefined) return found.snapshotTime;
    before = records.at(-1)?.run;
    if (records.length < PAGE || before === undefined) break;
  }
  const { manifest } = await readLatest(activation, store);
  return manifest !== undefined && isSameSet(manifest.params, values) ? manifest.snapshotTime : null;
}
