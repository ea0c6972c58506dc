/**
 * Which process runs which test files, the longest first. To start Node, to load the
 * packages of an export and to compile what an export runs takes longer than most files
 * take, so they share processes.
 */
import type { Durations } from './durations.ts';

export interface TestProcess {
  /** `test/run/state` where it runs one file, `several 2` where it runs several. */
  readonly name: string;
  readonly files: readonly string[];
  /** What it is expected to take. */
  readonly seconds: number;
  /** Its file has all of its cases. */
  readonly allCases: boolean;
}

/**
 * A process of several files takes about as long as this, and a file that does runs
 * alone.
 */
const SHARED_SECONDS = 40;

/** What looks at its whole process, listens to it or changes it has one of its own. */
const CONCERNS_PROCESS =
  /\bprocess\.(?:memoryUsage|getActiveResourcesInfo|on|once)\(|\bError\.stackTraceLimit/;

/** `textOf` gives what stands in a file; one that has all of its cases runs alone. */
export function planProcesses(
  files: readonly string[],
  durations: Durations,
  textOf: (file: string) => string,
  hasAllCases: (file: string) => boolean = () => false,
): TestProcess[] {
  const processes: TestProcess[] = [];
  const shared: string[] = [];
  for (const file of files) {
    const allCases = hasAllCases(file);
    const seconds = durations.secondsOf(file) + (allCases ? SHARED_SECONDS : 0);
    if (seconds >= SHARED_SECONDS || CONCERNS_PROCESS.test(textOf(file))) {
      processes.push({ name: nameOf(file), files: [file], seconds, allCases });
    } else {
      shared.push(file);
    }
  }
  for (const [index, share] of shareOut(shared, file => durations.secondsOf(file)).entries()) {
    const name = share.length === 1 ? nameOf(share[0]!) : `several ${index + 1}`;
    const seconds = share.reduce((sum, file) => sum + durations.secondsOf(file), 0);
    processes.push({ name, files: share, seconds, allCases: false });
  }
  return processes.sort((a, b) => b.seconds - a.seconds);
}

/** As few shares as hold all, each of about the same time. */
function shareOut(files: readonly string[], secondsOf: (file: string) => number): string[][] {
  const total = files.reduce((sum, file) => sum + secondsOf(file), 0);
  const shares = Array.from({ length: Math.ceil(total / SHARED_SECONDS) || 1 }, () => ({
    seconds: 0,
    files: [] as string[],
  }));
  for (const file of [...files].sort((a, b) => secondsOf(b) - secondsOf(a))) {
    const least = shares.reduce((a, b) => (b.seconds < a.seconds ? b : a));
    least.files.push(file);
    least.seconds += secondsOf(file);
  }
  return shares.filter(share => share.files.length > 0).map(share => share.files.sort());
}

function nameOf(file: string): string {
  return file.replace(/\.test\.ts$/, '');
}
