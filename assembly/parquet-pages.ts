/**
 * What pages of a Parquet file are made of: values as places in a dictionary, and Snappy.
 * Compiled to WebAssembly by `npm run assembly`; src/encoders/parquet/ calls it. Up to 32
 * bytes are read behind an input, and up to 32 bytes behind a position are written.
 */
export { compress } from './snappy';
export { addValues, clearDictionary, dictionaryBytes, dictionaryEntries, packPlaces } from './parquet-dictionary';

export function heapBase(): usize {
  return __heap_base;
}
