import { displayWidth } from './table.ts';

/**
 * The lines of a text, broken between words where they are wider than `columns`. Further
 * lines of one are indented by `hang`, or else by two more than the line itself. A word
 * that is wider than a line stays whole, so that it can be copied. Colours may be in the
 * text.
 */
export function wrapped(text: string, columns: number, hang?: number): string {
  return text
    .split('\n')
    .map(line => wrappedLine(line, columns, hang))
    .join('\n');
}

function wrappedLine(line: string, columns: number, hang: number | undefined): string {
  if (displayWidth(line) <= columns) return line;
  const [indent = ''] = /^ */.exec(line) ?? [];
  // More than half of a narrow terminal is for the text.
  const further = ' '.repeat(Math.min(hang ?? indent.length + 2, Math.floor(columns / 2)));
  const lines: string[] = [];
  let current = indent;
  let isEmpty = true;
  // Spaces that align columns stay with the word before them.
  for (const word of line.slice(indent.length).split(/(?<=\S\s+)(?=\S)/)) {
    if (!isEmpty && displayWidth((current + word).trimEnd()) > columns) {
      lines.push(current.trimEnd());
      current = further;
    }
    current += word;
    isEmpty = false;
  }
  return [...lines, current].join('\n');
}
