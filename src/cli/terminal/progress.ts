import type { RunProgress } from '../../run/export-run.ts';
import { formatBytes, formatCount } from './quantities.ts';
import { cutToWidth } from './table.ts';
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

/**
 * A live line on a terminal, and a line of its own for what does not answer; elsewhere a
 * line at each change of phase and every ten seconds.
 */
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
    const pace = { elapsedMs: at - started, rowsPerSecond };
    const isNewWait = waiting === undefined && progress.waiting !== undefined;
    waiting = progress.waiting;
    if (terminal.isLive) {
      // The live line may have no room for it.
      if (isNewWait) terminal.note(`${activation}: ${waiting}`);
      terminal.status(liveLine(activation, progress, { ...pace, columns: terminal.columns - 1 }));
      return;
    }
    const isNews = progress.phase !== phase || isNewWait;
    if (!isNews && at < lineDue) return;
    phase = progress.phase;
    lineDue = at + LINE_EVERY_MS;
    terminal.note(describeProgress(activation, progress, pace).join('  '));
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

interface Pace {
  readonly elapsedMs: number;
  readonly rowsPerSecond: number;
}

/** All that is known, for a line of a log. */
export function describeProgress(activation: string, progress: RunProgress, pace: Pace): string[] {
  const { phase, rowsRead, rowsWritten, bytesStaged, blocksStaged, part, connectingTo, waiting } = progress;
  const head = `${activation}: ${phase}`;
  const elapsed = clock(pace.elapsedMs);
  if (phase === 'connecting') {
    const side = connectingTo === undefined ? head : `${head} to the ${connectingTo}`;
    return [side, elapsed, ...(waiting === undefined ? [] : [waiting])];
  }
  const moving = phase === 'reading' ? [`${formatCount(pace.rowsPerSecond)} rows/s`] : [];
  return [
    head,
    `${formatCount(rowsRead)} rows`,
    ...moving,
    elapsed,
    `${formatBytes(bytesStaged)} staged`,
    ...slicesText(progress),
    `${formatCount(rowsWritten)} written`,
    `${formatCount(blocksStaged)} ${blocksStaged === 1 ? 'block' : 'blocks'}`,
    `part ${part}`,
    ...(waiting === undefined ? [] : [waiting]),
  ];
}

/** A name shows at least so much of itself. */
const LEAST_NAME_COLUMNS = 4;

/**
 * The line for a terminal of that width: time first, then name, phase, rows, rate and
 * bytes, which are never cut. Where room is short the name is; what else is known stands
 * behind where there is room for it beside the whole name.
 */
export function liveLine(
  activation: string,
  progress: RunProgress,
  { columns, ...pace }: Pace & { readonly columns: number },
): string {
  const { phase, rowsRead, rowsWritten, bytesStaged, blocksStaged, part, connectingTo, waiting } = progress;
  const elapsed = clock(pace.elapsedMs);
  if (phase === 'connecting') {
    const side = connectingTo === undefined ? '' : ` to the ${connectingTo}`;
    const line = cutToWidth(`${elapsed}  ${activation}: ${phase}${side}`, columns);
    const isRoom = waiting !== undefined && line.length + 2 + waiting.length <= columns;
    return isRoom ? `${line}  ${waiting}` : line;
  }
  const needed = [
    `${formatCount(rowsRead)} rows`,
    ...(phase === 'reading' ? [`${formatCount(pace.rowsPerSecond)}/s`] : []),
    formatBytes(bytesStaged),
  ];
  const behind = `: ${[phase, ...needed].join('  ')}`;
  const room = Math.max(LEAST_NAME_COLUMNS, columns - elapsed.length - 2 - behind.length);
  let line = `${elapsed}  ${cutToWidth(activation, room)}${behind}`;
  const blocks = `${formatCount(blocksStaged)} ${blocksStaged === 1 ? 'block' : 'blocks'}`;
  const why = waiting === undefined ? [] : [waiting];
  const slices = slicesText(progress);
  for (const more of [...why, ...slices, `${formatCount(rowsWritten)} written`, blocks, `part ${part}`]) {
    if (line.length + 2 + more.length > columns) break;
    line += `  ${more}`;
  }
  return line;
}

/** Slices that workers read are the pace there is. */
function slicesText({ slices }: RunProgress): string[] {
  if (slices === undefined) return [];
  const { count, done, running } = slices;
  return [`${formatCount(done)} of ${formatCount(count)} slices, ${formatCount(running)} being read`];
}

/** `0:07`, `12:30`, `1:02:30` */
function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}
