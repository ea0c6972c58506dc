import { ParquetLibraryEncoder } from '../../src/encoders/parquet/library/parquet-library.ts';
import { ParquetEncoder } from '../../src/encoders/parquet/parquet.ts';
import { parquetConformance } from './parquet-conformance.ts';

parquetConformance('fast', (columns, options) => new ParquetEncoder(columns, options));
parquetConformance('library', (columns, options) => new ParquetLibraryEncoder(columns, options));
