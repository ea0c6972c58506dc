import { crc32 } from 'node:zlib';

/**
 * `CRC32 JSON` and a line break: a line that was cut short or overwritten is told from
 * one that is whole.
 */
export function toLine(content: unknown): string {
  const json = JSON.stringify(content);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

/**
 * `undefined` where the line, which comes without its line break, does not add up, or
 * holds no object.
 */
export function fromLine(line: string): object | undefined {
  const json = line.slice(9);
  if (line.slice(0, 8) !== crc32(json).toString(16).padStart(8, '0')) return undefined;
  try {
    const content: unknown = JSON.parse(json);
    return typeof content === 'object' && content !== null ? content : undefined;
  } catch {
    return undefined;
  }
}
