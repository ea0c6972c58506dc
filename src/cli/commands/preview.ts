import { resolveActivation } from '../../config/activation.ts';
import { EXIT } from '../../errors.ts';
import type { Preview } from '../../run/preview.ts';
import { type CommandContext, openConfig } from '../command-context.ts';
import { watchSignals } from '../interruption.ts';
import { formatCount } from '../terminal/quantities.ts';
import { cutToWidth, displayWidth, tableLines, widestOf } from '../terminal/table.ts';
import { escaped, type Terminal } from '../terminal/terminal.ts';
import { shortTypeName } from '../terminal/type-name.ts';

export interface PreviewOptions {
  readonly rows: number;
  readonly param?: Readonly<Record<string, string>>;
}

/** For display only; files hold every value whole. */
const MAX_CELL_COLUMNS = 40;
const RIGHT_ALIGNED = new Set(['int16', 'int32', 'int64', 'float32', 'float64', 'numeric']);

/** `sluice preview`: the first mapped rows as a table. */
export async function preview(
  name: string,
  { rows, param: params }: PreviewOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const { config } = await openConfig(context);
  const activation = resolveActivation(config, name);
  const { previewActivation } = await import('../../run/preview.ts');
  const { signal, release } = watchSignals(terminal);
  try {
    const clean = (text: string): string => terminal.clean(text);
    terminal.print(
      previewTable(await previewActivation({ activation, rows, params, signal, clean }), terminal),
    );
  } finally {
    release();
  }
  return EXIT.done;
}

/** As a table, or one value a line where the terminal is too narrow for that. */
function previewTable(preview: Preview, terminal: Terminal): string {
  const lines = tableOf(preview, terminal);
  const { outColumns } = terminal;
  const isTooWide = outColumns !== undefined && widestOf(lines) > outColumns;
  const shown = isTooWide ? expanded(preview, terminal, outColumns) : lines;
  const { rows, complete } = preview;
  const count = `${formatCount(rows.length)} ${rows.length === 1 ? 'row' : 'rows'}`;
  return [...shown, terminal.paint('dim', `(${complete ? 'all' : 'the first'} ${count})`)].join('\n');
}

function tableOf({ columns, rows }: Preview, terminal: Terminal): string[] {
  const titles = columns.map(({ name, kind }) => ({
    title: cell(name, terminal),
    align: RIGHT_ALIGNED.has(kind) ? ('right' as const) : ('left' as const),
  }));
  const types = columns.map(({ sourceType }) =>
    terminal.paint('dim', cell(shortTypeName(sourceType), terminal)),
  );
  const body = rows.map(row => row.map(value => valueCell(value, terminal)));
  const [head = '', ...lines] = tableLines(titles, [types, ...body]);
  return [terminal.paint('bold', head), ...lines];
}

/** As psql's expanded display: a line for each value, with name and type in front. */
function expanded({ columns, rows }: Preview, terminal: Terminal, width: number): string[] {
  const labels = tableLines(
    [{ title: '' }, { title: '' }],
    columns.map(({ name, sourceType }) => [
      cutToWidth(cell(name, terminal), Math.floor(width / 3)),
      cutToWidth(cell(shortTypeName(sourceType), terminal), Math.floor(width / 4)),
    ]),
  ).slice(1);
  const labelColumns = widestOf(labels);
  const room = width - labelColumns - ' | '.length;
  return rows.flatMap((row, index) => [
    terminal.paint('bold', `-[ row ${index + 1} ]`.padEnd(Math.min(width, labelColumns + 3), '-')),
    ...row.map((value, column) => {
      const label = labels[column] ?? '';
      const padding = ' '.repeat(labelColumns - displayWidth(label));
      return `${terminal.paint('dim', label + padding)} | ${valueCell(value, terminal, room)}`;
    }),
  ]);
}

function cell(text: string, terminal: Terminal, columns = MAX_CELL_COLUMNS): string {
  return cutToWidth(escaped(terminal.clean(text)), columns);
}

function valueCell(value: string | null, terminal: Terminal, columns = MAX_CELL_COLUMNS): string {
  return value === null ? terminal.paint('dim', 'NULL') : cell(unmistakable(value), terminal, columns);
}

/** A text that could be taken for NULL or for nothing is shown in quotes. */
function unmistakable(text: string): string {
  return text === '' || text === 'NULL' || text.startsWith("'") || text !== text.trim() ? `'${text}'` : text;
}
