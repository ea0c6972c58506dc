import assert from 'node:assert/strict';
import { csvFormat, jsonFormat, xmlFormat } from '../../../src/config/schema/schema-formats.ts';
import { withConversions } from '../../../src/encoders/conversions/converting-encoder.ts';
import { CsvEncoder } from '../../../src/encoders/csv/csv.ts';
import { CsvLibraryEncoder } from '../../../src/encoders/csv/csv-library.ts';
import type { Encoder } from '../../../src/encoders/encoder.ts';
import { JsonEncoder } from '../../../src/encoders/json/json.ts';
import { JsonLibraryEncoder } from '../../../src/encoders/json/json-library.ts';
import { XmlEncoder } from '../../../src/encoders/xml/xml.ts';
import { XmlLibraryEncoder } from '../../../src/encoders/xml/xml-library.ts';
import type { Column } from '../../../src/row-batch.ts';
import { batchOf, encodePart, type FieldValue } from '../../conformance/encoding.ts';

export type Keys = Record<string, unknown>;
export type Rows = readonly (readonly FieldValue[])[];
export type TextType = 'csv' | 'json' | 'xml';

/** Both engines of a format, under options as the configuration gives them. */
export function engines(type: TextType, keys: Keys, columns: readonly Column[]): Encoder[] {
  if (type === 'csv') {
    const format = csvFormat.parse({ type, ...keys });
    return [CsvEncoder, CsvLibraryEncoder].map(Engine =>
      withConversions(columns, format, inner => new Engine(inner, format)),
    );
  }
  if (type === 'json') {
    const format = jsonFormat.parse({ type, layout: 'lines', ...keys });
    return [JsonEncoder, JsonLibraryEncoder].map(Engine =>
      withConversions(columns, format, inner => new Engine(inner, format)),
    );
  }
  const format = xmlFormat.parse({ type, ...keys });
  return [XmlEncoder, XmlLibraryEncoder].map(Engine =>
    withConversions(columns, format, inner => new Engine(inner, format)),
  );
}

/** What both engines write, which is the same. */
export function written(type: TextType, keys: Keys, columns: readonly Column[], rows: Rows): string {
  const [fast, library] = engines(type, keys, columns).map(encoder =>
    encodePart(encoder, [batchOf(rows)]).toString(),
  );
  assert.equal(library, fast);
  return fast!;
}
