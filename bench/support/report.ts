import { cpus, totalmem } from 'node:os';
import type { BenchCase, PeerCase } from '../cases.ts';
import { barPlot } from './bar-plot.ts';
import { markdownTable } from './markdown-table.ts';
import { writeResult } from './results.ts';
import type { Spread } from './statistics.ts';

export interface Figures {
  readonly ratio: Spread;
  readonly rowsPerSecond: Spread;
  readonly peakRssBytes: number;
  readonly cpu: RowCpu;
}

/** CPU for each row, in µs. */
export interface RowCpu {
  /** The command, start and end included. */
  readonly client: Spread;
  readonly server: Spread;
  readonly endpoint: Spread;
}

export interface Report {
  readonly rows: number;
  readonly rounds: number;
  readonly psql: Spread;
  readonly psqlCpu: Pick<RowCpu, 'client' | 'server'>;
  readonly cases: readonly BenchCase[];
  /** By name of the case. */
  readonly results: ReadonlyMap<string, Figures>;
  /** Peak resident memory of full exports of 5 and 50 million rows. */
  readonly memory: readonly [number, number] | undefined;
  readonly peers: ReadonlyMap<PeerCase, Spread> | undefined;
}

/** Writes the table and the plot of a bench; returns the table. */
export function writeReport(report: Report): string {
  const { rows, rounds, cases, results, memory, peers } = report;
  const { model } = cpus()[0]!;
  const machine = `${cpus().length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}`;
  const lines = [
    '# Bench',
    '',
    `${rows} rows of 12 columns; median of ${rounds} rounds (lowest-highest); ratios within each round.`,
    `${machine}; server, destination and Sluice share the cores. ${new Date().toISOString().slice(0, 10)}.`,
    'CPU is the median of the rounds: of the command from start to end, of its session on the server, and of the endpoint that takes the blocks.',
    '',
    caseTable(report),
    '',
  ];
  if (memory) {
    lines.push(
      `Peak resident memory of a full CSV export: ${mib(memory[0])} for 5 million rows, ${mib(memory[1])} for 50 million.`,
      '',
    );
  }
  if (peers) lines.push(peerTable(peers, results));
  const text = `${lines.join('\n').trimEnd()}\n`;
  writeResult('latest.md', text);
  writeResult(
    'latest.svg',
    barPlot({
      title: 'Rows per second, as a ratio to psql \\copy',
      subtitle: machine,
      unit: '',
      bars: cases.map(({ name, title, bar }) => ({
        label: title,
        value: results.get(name)!.ratio,
        ...(bar !== undefined && { goal: bar }),
      })),
    }),
  );
  return text;
}

function caseTable({ psql, psqlCpu, cases, results }: Report): string {
  return markdownTable(
    [
      { title: 'case' },
      { title: 'ratio', align: 'right' },
      { title: 'bar', align: 'right' },
      { title: 'rows/s', align: 'right' },
      { title: 'CPU µs a row', align: 'right' },
      { title: 'server', align: 'right' },
      { title: 'endpoint', align: 'right' },
      { title: 'peak memory', align: 'right' },
    ],
    [
      [
        '`psql \\copy` to /dev/null',
        '1.00',
        '',
        range(psql, perSecond),
        ...[psqlCpu.client, psqlCpu.server].map(micros),
        '',
        '',
      ],
      ...cases.map(({ name, title, bar }) => {
        const { ratio, rowsPerSecond, cpu, peakRssBytes } = results.get(name)!;
        return [
          title,
          range(ratio, value => value.toFixed(2)),
          bar?.toFixed(2) ?? '',
          range(rowsPerSecond, perSecond),
          ...[cpu.client, cpu.server, cpu.endpoint].map(micros),
          mib(peakRssBytes),
        ];
      }),
    ],
  );
}

/**
 * What one would use instead. A ratio is that of the medians: Sluice's rows per second to
 * the peer's.
 */
function peerTable(peers: ReadonlyMap<PeerCase, Spread>, results: ReadonlyMap<string, Figures>): string {
  return markdownTable(
    [
      { title: 'instead of Sluice' },
      { title: 'rows/s', align: 'right' },
      { title: 'Sluice is faster by', align: 'right' },
      { title: 'bar', align: 'right' },
    ],
    Array.from(peers, ([{ title, against, bar }, speed]) => {
      const ours = results.get(against)?.rowsPerSecond.median;
      const ratio = ours === undefined ? '' : `${(ours / speed.median).toFixed(1)} ×`;
      return [title, range(speed, perSecond), ratio, bar === undefined ? '' : `${bar} ×`];
    }),
  );
}

/** The spread of the ratio says how quiet the machine was. */
function micros({ median }: Spread): string {
  return median.toFixed(2);
}

function range({ median, min, max }: Spread, show: (value: number) => string): string {
  return `${show(median)} (${show(min)}-${show(max)})`;
}

export function perSecond(value: number): string {
  return Math.round(value).toLocaleString('en');
}

export function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
