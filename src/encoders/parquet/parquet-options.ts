/** Options of the Parquet format, as the configuration gives them. */
export interface ParquetOptions {
  readonly compression: 'snappy' | 'zstd' | 'gzip' | 'none';
  /**
   * Rows of a row group; one whose bytes would be too many for the memory that is meant
   * for it has fewer.
   */
  readonly rowGroupRows: number;
  /** Whether repeated values are written once. */
  readonly dictionary: boolean;
  /** What a `numeric` without precision is. */
  readonly numeric: 'text' | { readonly precision: number; readonly scale: number };
  /** Whether these are types of their own in the file. */
  readonly uuid: 'native' | 'text';
  readonly time: 'native' | 'text';
}
