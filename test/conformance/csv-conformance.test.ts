import { CsvEncoder } from '../../src/encoders/csv/csv.ts';
import { CsvLibraryEncoder } from '../../src/encoders/csv/csv-library.ts';
import { csvConformance } from './csv-conformance.ts';

csvConformance('fast', (columns, options) => new CsvEncoder(columns, options));
csvConformance('library', (columns, options) => new CsvLibraryEncoder(columns, options));
