export interface TableColumn {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** A table in Markdown, padded so that it also reads well as plain text. */
export function markdownTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string | undefined) => (text ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ');
  const widths = columns.map(({ title }, i) =>
    Math.max(3, title.length, ...rows.map(row => cell(row[i]).length)),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const pad = (text: string, i: number) =>
    columns[i]?.align === 'right' ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
  const rule = columns.map(({ align }, i) => {
    const dashes = '-'.repeat((widths[i] ?? 3) - (align === 'right' ? 1 : 0));
    return align === 'right' ? `${dashes}:` : dashes;
  });
  return [
    line(columns.map(({ title }, i) => pad(title, i))),
    line(rule),
    ...rows.map(row => line(columns.map((_, i) => pad(cell(row[i]), i)))),
    '',
  ].join('\n');
}
