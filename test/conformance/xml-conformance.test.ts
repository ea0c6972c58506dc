import { XmlLibraryEncoder } from '../../src/encoders/library/xml.ts';
import { XmlEncoder } from '../../src/encoders/xml.ts';
import { xmlConformance } from './xml-conformance.ts';

xmlConformance('fast', (columns, options) => new XmlEncoder(columns, options));
xmlConformance('library', (columns, options) => new XmlLibraryEncoder(columns, options));
