/**
 * The reporter of `npm test`: node's own, with the slowest files and the tests that
 * failed before its closing lines.
 */
import { Readable } from 'node:stream';
import { spec, tap } from 'node:test/reporters';
import { describeFailures, type FailedTest } from './failed-tests.ts';
import { readUsages, USAGE_VARIABLE } from './usage.ts';

const SHOWN = 20;

interface TestEvent {
  readonly type: string;
  readonly data: { readonly nesting?: number; readonly message?: string };
}

// The flag --test-force-exit is meant for the processes of files. In that of node --test,
// which ends by itself, it would cut off the end of what is reported.
process.exit = () => undefined as never;

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<unknown> {
  const events = Readable.from(withSummary(source));
  // The types of node know reporters as values of `run` only.
  const shown = process.stdout.isTTY ? new (spec as unknown as new () => NodeJS.ReadWriteStream)() : tap;
  yield* events.compose(shown as NodeJS.ReadWriteStream);
}

async function* withSummary(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const failed: FailedTest[] = [];
  for await (const event of source) {
    if (event.type === 'test:fail') failed.push(event.data as unknown as FailedTest);
    if (event.type === 'test:diagnostic' && event.data.nesting === 0 && isFirstClosing(event.data.message)) {
      for (const message of [...slowest(), ...describeFailures(failed)])
        yield { ...event, data: { ...event.data, message } };
    }
    yield event;
  }
}

function isFirstClosing(message = ''): boolean {
  return /^tests \d+$/.test(message);
}

function slowest(): string[] {
  const usages = readUsages(process.env[USAGE_VARIABLE]).sort((a, b) => b.seconds - a.seconds);
  if (usages.length <= 1) return [];
  const cpu = usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  return [
    `slowest of ${usages.length} files, which took ${cpu.toFixed(0)} s of CPU time without the servers:`,
    ...usages
      .slice(0, SHOWN)
      .map(
        ({ file, seconds, cpuSeconds }) =>
          `${seconds.toFixed(1).padStart(6)} s, CPU ${cpuSeconds.toFixed(1).padStart(5)} s  ${file}`,
      ),
  ];
}
