import type { Spread } from './statistics.ts';

export interface Bar {
  readonly label: string;
  readonly value: Spread;
  /** What the value shall reach: drawn as a tick across the bar. */
  readonly goal?: number;
  readonly kind?: 'ours' | 'peer';
}

export interface BarPlot {
  readonly title: string;
  /** Under the title: machine, rows, number of rounds. */
  readonly subtitle?: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
  readonly format?: (value: number) => string;
}

const ROW = 30;
const LEFT = 290;
const WIDTH = 900;
const BARS = WIDTH - LEFT - 130;
const COLOURS = { ours: '#2563eb', peer: '#94a3b8' } as const;

/**
 * Horizontal bars as SVG: the bar ends at the median, the whisker spans minimum to
 * maximum.
 */
export function barPlot(plot: BarPlot): string {
  const format = plot.format ?? (value => value.toPrecision(3));
  const largest = Math.max(
    ...plot.bars.map(({ value, goal }) => Math.max(value.max, goal ?? 0)),
    Number.MIN_VALUE,
  );
  const step = niceStep(largest / 5);
  const top = step * Math.ceil(largest / step);
  const x = (value: number) => round(LEFT + (BARS * value) / top);
  const firstRow = plot.subtitle === undefined ? 50 : 70;
  const bottom = firstRow + ROW * plot.bars.length;

  const parts = [text(16, 28, plot.title, 'font-size="17" font-weight="600"')];
  if (plot.subtitle !== undefined) parts.push(text(16, 48, plot.subtitle, 'fill="#64748b"'));
  for (let i = 0; i * step <= top * 1.0001; i += 1) {
    const at = x(i * step);
    parts.push(line(at, firstRow - 6, at, bottom, '#e2e8f0', 1));
    parts.push(text(at, bottom + 16, format(i * step), 'fill="#64748b" text-anchor="middle"'));
  }
  plot.bars.forEach(({ label, value, goal, kind = 'ours' }, i) => {
    const y = firstRow + ROW * i;
    const middle = y + 11;
    parts.push(text(LEFT - 10, middle + 4, label, 'text-anchor="end"'));
    parts.push(
      `<rect x="${LEFT}" y="${y}" width="${round(x(value.median) - LEFT)}" height="22" rx="2" fill="${COLOURS[kind]}"/>`,
    );
    parts.push(line(x(value.min), middle, x(value.max), middle, '#0f172a', 1.5));
    for (const end of [value.min, value.max])
      parts.push(line(x(end), middle - 4, x(end), middle + 4, '#0f172a', 1.5));
    if (goal !== undefined) parts.push(line(x(goal), y - 3, x(goal), y + 25, '#dc2626', 2));
    parts.push(
      text(Math.max(x(value.max), x(goal ?? 0)) + 8, middle + 4, `${format(value.median)} ${plot.unit}`),
    );
  });
  const height = bottom + 30;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10);
}

function line(x1: number, y1: number, x2: number, y2: number, stroke: string, width: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${stroke}" stroke-width="${width}"/>`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replace(/[&<>]/g, c => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : '&gt;'));
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}

const round = (value: number) => Math.round(value * 100) / 100;
