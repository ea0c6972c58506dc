/**
 * Text tables for a terminal. Cells are single lines without secrets; colours may be in
 * them.
 */

export interface TableColumn {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** The lines of a table: titles, then rows. No line ends with spaces. */
export function tableLines(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string[] {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map(line => displayWidth(line[index] ?? ''))));
  return lines.map(line =>
    columns
      .map(({ align }, index) => {
        const cell = line[index] ?? '';
        const padding = ' '.repeat(widths[index]! - displayWidth(cell));
        return align === 'right' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
}

export interface FittedColumn extends TableColumn {
  /** Columns with a number are left out where the table is too wide, the lowest first. */
  readonly leaveOut?: number;
  /**
   * Whether its cells, which have no colours, are cut where the table is too wide without
   * those.
   */
  readonly cut?: boolean;
}

const LEAST_CUT_COLUMNS = 8;

/**
 * As `tableLines`, as wide as the terminal at the most as far as that goes; all of it
 * where there is none.
 */
export function fittedTableLines(
  columns: readonly FittedColumn[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): string[] {
  const lines = tableLines(columns, rows);
  const excess = width === undefined ? 0 : widestOf(lines) - width;
  if (excess <= 0) return lines;
  const order = columns.flatMap(({ leaveOut }) => leaveOut ?? []);
  const at = columns.findIndex(({ leaveOut }) => leaveOut === Math.min(...order));
  if (at >= 0)
    return fittedTableLines(
      columns.toSpliced(at, 1),
      rows.map(row => row.toSpliced(at, 1)),
      width,
    );
  const widthOfCells = (index: number): number =>
    Math.max(...rows.map(row => displayWidth(row[index] ?? '')));
  const [cut] = [...columns.keys()]
    .filter(index => columns[index]!.cut)
    .sort((one, other) => widthOfCells(other) - widthOfCells(one));
  if (cut === undefined) return lines;
  const room = Math.max(LEAST_CUT_COLUMNS, widthOfCells(cut) - excess);
  return fittedTableLines(
    columns.with(cut, { ...columns[cut]!, cut: false }),
    rows.map(row => row.with(cut, cutToWidth(row[cut] ?? '', room))),
    width,
  );
}

interface TableTerminal {
  readonly outColumns: number | undefined;
  paint(style: 'dim', text: string): string;
}

/** Such a table as text, its titles dim. */
export function fittedTable(
  columns: readonly FittedColumn[],
  rows: readonly (readonly string[])[],
  terminal: TableTerminal,
): string {
  const [head = '', ...lines] = fittedTableLines(columns, rows, terminal.outColumns);
  return [terminal.paint('dim', head), ...lines].join('\n');
}

/** The columns of rows: name, type, and what each is made from. */
const COLUMN_TITLES: readonly FittedColumn[] = [
  { title: 'column', cut: true },
  { title: 'type', cut: true },
  { title: 'from', cut: true },
];

/** What there is to say of the columns of rows, indented. */
export function columnTable(
  columns: readonly { readonly name: string; readonly type: string; readonly source: string }[],
  terminal: TableTerminal,
): string {
  const rows = columns.map(({ name, type, source }) => [name, type, source === name ? '' : source]);
  return indented(fittedTable(COLUMN_TITLES, rows, narrower(terminal)));
}

const INDENT = '  ';

/** The same terminal for a table that is indented afterwards. */
export function narrower(terminal: TableTerminal): TableTerminal {
  const { outColumns } = terminal;
  return {
    outColumns: outColumns === undefined ? undefined : outColumns - INDENT.length,
    paint: (style, text) => terminal.paint(style, text),
  };
}

export function indented(text: string): string {
  return text.replace(/^/gm, INDENT);
}

export function widestOf(lines: readonly string[]): number {
  return Math.max(0, ...lines.map(displayWidth));
}

let segmenter: Intl.Segmenter | undefined;
const WIDE =
  /^(?:\p{Emoji_Presentation}|.\ufe0f|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])/u;
const NO_WIDTH = /^[\p{Mark}\p{Format}]+$/u;
const PLAIN = /^[\u0020-\u007e]*$/;

/** Columns that a terminal takes for the text. */
export function displayWidth(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const bare = text.replace(/\u001b\[[0-9;]*m/g, '');
  if (PLAIN.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of graphemesOf(bare)) width += widthOf(segment);
  return width;
}

/** The text, cut at whole characters to `columns` with an ellipsis. */
export function cutToWidth(text: string, columns: number): string {
  // Nothing that long can fit; segmenting a megabyte would take a while.
  const head = text.slice(0, columns * 8);
  if (head.length === text.length && displayWidth(text) <= columns) return text;
  let width = 0;
  let kept = '';
  for (const { segment } of graphemesOf(head)) {
    width += widthOf(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
}

function widthOf(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return NO_WIDTH.test(grapheme) ? 0 : 1;
}
