import { ParquetLibraryEncoder } from '../../src/encoders/library/parquet.ts';
import { ParquetEncoder } from '../../src/encoders/parquet.ts';
import { parquetConformance } from './parquet-conformance.ts';

parquetConformance('fast', (columns, options) => new ParquetEncoder(columns, options));
parquetConformance('library', (columns, options) => new ParquetLibraryEncoder(columns, options));
