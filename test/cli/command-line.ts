/** The command line in this process, with what it prints. */
import { runCommandLine } from '../../src/cli/program.ts';
import { Terminal, type TerminalStream } from '../../src/cli/terminal/terminal.ts';

export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The lines of standard output, each as JSON. */
  json<Content>(): Content[];
}

export interface CommandLineOptions {
  /** Standard output and standard error are a terminal of that width. */
  readonly columns?: number;
  readonly colors?: boolean;
  /** Called with all of standard error so far, whenever there is more. */
  readonly onErr?: (err: string) => void;
}

export async function commandLine(
  args: readonly string[],
  { columns, colors = false, onErr }: CommandLineOptions = {},
): Promise<Printed> {
  const printed = { out: '', err: '' };
  const into = (key: 'out' | 'err'): TerminalStream => ({
    ...(columns !== undefined && { isTTY: true, columns, hasColors: () => colors }),
    write: (text, done) => {
      printed[key] += text;
      if (key === 'err') onErr?.(printed.err);
      done?.();
      return true;
    },
  });
  const code = await runCommandLine(args, new Terminal(into('out'), into('err')));
  return {
    code,
    ...printed,
    json: () =>
      printed.out
        .split('\n')
        .filter(line => line !== '')
        .map(line => JSON.parse(line)),
  };
}
