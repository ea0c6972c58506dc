// The thread of row-group-writer.ts. JavaScript, because Node loads a thread's file by itself, also while the other
// sources are run uncompiled.
import { parentPort } from 'node:worker_threads';
import { Compression, EnabledStatistics, Table, WriterPropertiesBuilder, writeParquet } from 'parquet-wasm';

const COMPRESSIONS = {
  snappy: Compression.SNAPPY,
  zstd: Compression.ZSTD,
  gzip: Compression.GZIP,
  none: Compression.UNCOMPRESSED,
};

parentPort?.on(
  'message',
  /** @param {import('./row-group-writer.ts').RowGroupRequest} request */ request => {
    const { id } = request;
    const memory = request.stream.buffer;
    try {
      const file = write(request);
      parentPort?.postMessage({ id, memory, file }, [memory, file.buffer]);
    } catch (cause) {
      const failure = cause instanceof Error ? cause.message : String(cause);
      parentPort?.postMessage({ id, memory, failure }, [memory]);
    }
  },
);

/**
 * @param {import('./row-group-writer.ts').RowGroupRequest} request
 * @returns {Uint8Array<ArrayBuffer>}
 */
function write({ stream, rowCount, compression, dictionary, withoutDictionary, withoutStatistics }) {
  let properties = new WriterPropertiesBuilder()
    .setCompression(COMPRESSIONS[compression])
    .setDictionaryEnabled(dictionary)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(rowCount);
  for (const name of withoutDictionary) properties = properties.setColumnDictionaryEnabled(name, false);
  for (const name of withoutStatistics) {
    properties = properties.setColumnStatisticsEnabled(name, EnabledStatistics.None);
  }
  // Both are consumed by the call, which copies its result out of the WebAssembly memory.
  const file = writeParquet(Table.fromIPCStream(stream), properties.build());
  return /** @type {Uint8Array<ArrayBuffer>} */ (file);
}
