import { resolveActivation } from '../config/activation.ts';
import { EXIT } from '../errors.ts';
import type { Preview } from '../run/preview.ts';
import { type CommandContext, openConfig } from './command-context.ts';
import { watchSignals } from './interruption.ts';
import { formatCount } from './quantities.ts';
import { cutToWidth, tableLines } from './table.ts';
import { escaped, type Terminal } from './terminal.ts';

export interface PreviewOptions {
  readonly rows: number;
}

/** For display only; files hold every value whole. */
const MAX_CELL_COLUMNS = 40;
const RIGHT_ALIGNED = new Set(['int16', 'int32', 'int64', 'float32', 'float64', 'numeric']);

/** `sluice preview`: the first mapped rows as a table. */
export async function preview(
  name: string,
  { rows }: PreviewOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const { config } = await openConfig(context);
  const activation = resolveActivation(config, name);
  const { previewActivation } = await import('../run/preview.ts');
  const { signal, release } = watchSignals(terminal);
  try {
    const clean = (text: string): string => terminal.clean(text);
    terminal.print(previewTable(await previewActivation({ activation, rows, signal, clean }), terminal));
  } finally {
    release();
  }
  return EXIT.done;
}

function previewTable({ columns, rows, complete }: Preview, terminal: Terminal): string {
  const cell = (text: string): string => cutToWidth(escaped(terminal.clean(text)), MAX_CELL_COLUMNS);
  const titles = columns.map(({ name, kind }) => ({
    title: cell(name),
    align: RIGHT_ALIGNED.has(kind) ? ('right' as const) : ('left' as const),
  }));
  const types = columns.map(({ sourceType }) => terminal.paint('dim', cell(sourceType)));
  const body = rows.map(row =>
    row.map(value => (value === null ? terminal.paint('dim', 'NULL') : cell(unmistakable(value)))),
  );
  const [head = '', ...lines] = tableLines(titles, [types, ...body]);
  const shown = complete
    ? `all ${formatCount(rows.length)} rows`
    : `the first ${formatCount(rows.length)} rows`;
  return [terminal.paint('bold', head), ...lines, terminal.paint('dim', `(${shown})`)].join('\n');
}

/** A text that could be taken for NULL or for nothing is shown in quotes. */
function unmistakable(text: string): string {
  return text === '' || text === 'NULL' || text.startsWith("'") || text !== text.trim() ? `'${text}'` : text;
}
