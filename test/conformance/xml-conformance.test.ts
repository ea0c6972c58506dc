import { XmlEncoder } from '../../src/encoders/xml/xml.ts';
import { XmlLibraryEncoder } from '../../src/encoders/xml/xml-library.ts';
import { xmlConformance } from './xml-conformance.ts';

xmlConformance('fast', (columns, options) => new XmlEncoder(columns, options));
xmlConformance('library', (columns, options) => new XmlLibraryEncoder(columns, options));
