import { JsonEncoder } from '../../src/encoders/json/json.ts';
import { JsonLibraryEncoder } from '../../src/encoders/json/json-library.ts';
import { jsonConformance } from './json-conformance.ts';

jsonConformance('fast', (columns, options) => new JsonEncoder(columns, options));
jsonConformance('library', (columns, options) => new JsonLibraryEncoder(columns, options));
