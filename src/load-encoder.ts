import type { ResolvedActivation } from './config/activation.ts';
import { asksForConversions } from './encoders/conversions/conversion-options.ts';
import type { Encoder } from './encoders/encoder.ts';
import { FORMATS, type FormatPart } from './registry.ts';
import type { Column } from './row-batch.ts';

/** The engine that an activation writes with. */
export async function loadEncoder({
  format,
}: Pick<ResolvedActivation, 'format'>): Promise<(columns: readonly Column[]) => Encoder> {
  const part = FORMATS[format.type] as FormatPart<typeof format>;
  const create = await part[format.engine]();
  const plain = (columns: readonly Column[]): Encoder => create(columns, format);
  if (!asksForConversions(format)) return plain;
  const holdingOf = await part.holding?.(format);
  if (format.type === 'parquet' && holdingOf === undefined) return plain;
  const { withConversions } = await import('./encoders/conversions/converting-encoder.ts');
  // The mark that tells it from other encodings is a part of it.
  const written = format.type === 'csv' && format.encoding === 'utf-16le' ? { ...format, bom: true } : format;
  return columns => withConversions(columns, written, made => create(made, written), holdingOf);
}
