import type { RunProgress } from '../run/export-run.ts';
import { formatBytes, formatCount } from './quantities.ts';
import type { Terminal } from './terminal.ts';

export interface ProgressDisplay {
  /** To be given to the run, which tells where its progress can be asked for. */
  readonly observe: (progress: () => RunProgress) => void;
  /** Takes the live line away. */
  stop(): void;
}

export interface ProgressOptions {
  readonly activation: string;
  readonly terminal: Terminal;
  /** Milliseconds that only go up. */
  readonly now?: () => number;
}

const LOOK_EVERY_MS = 200;
const LINE_EVERY_MS = 10_000;
/** The rate shown is that of the last so many looks. */
const RATE_LOOKS = 15;

const NOTHING_YET: RunProgress = {
  phase: 'connecting',
  rowsRead: 0,
  rowsWritten: 0,
  bytesStaged: 0,
  blocksStaged: 0,
  part: 0,
};

/** A live line on a terminal; elsewhere a line at each change of phase and every ten seconds. */
export function displayProgress(options: ProgressOptions): ProgressDisplay {
  const { activation, terminal, now = () => performance.now() } = options;
  const started = now();
  const looks: { at: number; rows: number }[] = [{ at: started, rows: 0 }];
  let ask = (): RunProgress => NOTHING_YET;
  let phase: RunProgress['phase'] | undefined;
  let lineDue = started;
  let waiting: string | undefined;

  const look = (): void => {
    const progress = ask();
    const at = now();
    looks.push({ at, rows: progress.rowsRead });
    if (looks.length > RATE_LOOKS) looks.shift();
    const first = looks[0]!;
    const rowsPerSecond = at > first.at ? (1000 * (progress.rowsRead - first.rows)) / (at - first.at) : 0;
    const parts = describeProgress(activation, progress, { elapsedMs: at - started, rowsPerSecond });
    if (terminal.isLive) {
      terminal.status(fitted(parts, terminal.columns - 1));
      return;
    }
    const isNews = progress.phase !== phase || (waiting === undefined && progress.waiting !== undefined);
    waiting = progress.waiting;
    if (!isNews && at < lineDue) return;
    phase = progress.phase;
    lineDue = at + LINE_EVERY_MS;
    terminal.note(parts.join('  '));
  };

  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    observe: progress => {
      ask = progress;
    },
    stop: () => {
      clearInterval(timer);
      terminal.status('');
    },
  };
}

/** What there is to tell, the most important first. */
export function describeProgress(
  activation: string,
  { phase, rowsRead, rowsWritten, bytesStaged, blocksStaged, part, connectingTo, waiting }: RunProgress,
  { elapsedMs, rowsPerSecond }: { readonly elapsedMs: number; readonly rowsPerSecond: number },
): string[] {
  const head = `${activation}: ${phase}`;
  const elapsed = clock(elapsedMs);
  if (phase === 'connecting') {
    const side = connectingTo === undefined ? head : `${head} to the ${connectingTo}`;
    return [side, elapsed, ...(waiting === undefined ? [] : [waiting])];
  }
  const moving = phase === 'reading' ? [`${formatCount(rowsPerSecond)} rows/s`] : [];
  return [
    head,
    `${formatCount(rowsRead)} rows`,
    ...moving,
    elapsed,
    `${formatBytes(bytesStaged)} staged`,
    `${formatCount(rowsWritten)} written`,
    `${formatCount(blocksStaged)} ${blocksStaged === 1 ? 'block' : 'blocks'}`,
    `part ${part}`,
  ];
}

/** As many of the parts as the line has room for. */
export function fitted(parts: readonly string[], columns: number): string {
  let line = parts[0] ?? '';
  for (const part of parts.slice(1)) {
    if (line.length + 2 + part.length > columns) break;
    line += `  ${part}`;
  }
  return line;
}

/** `0:07`, `12:30`, `1:02:30` */
function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}
