import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { EXIT } from '../errors.ts';
import { sluiceVersion } from '../run/version.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodeOfError } from './exit-code.ts';
import { noteFailure } from './failure.ts';
import type { Terminal } from './terminal/terminal.ts';

interface GlobalOptions {
  readonly config: string;
  readonly verbose?: boolean;
}

/** Runs one command line, without the program's own name. Returns the exit code; never rejects. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = buildProgram(terminal, code => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    noteFailure(terminal, error, { verbose: args.includes('--verbose') });
    return exitCodeOfError(error);
  }
}

/** Every command; what one does is imported only when it is called, so that each starts fast. */
function buildProgram(terminal: Terminal, onExit: (code: number) => void): Command {
  const program = new Command('sluice');
  const context = (): CommandContext => {
    const { config, verbose } = program.opts<GlobalOptions>();
    return { terminal, configPath: config, verbose: verbose === true };
  };
  program
    .description('Exports database queries to Azure Blob Storage, whole or as changes.')
    .option('--config <path>', 'configuration file, or folder of them', 'sluice.yaml')
    .option('--verbose', 'print the causes of errors')
    .version(sluiceVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: text => terminal.print(text.trimEnd()),
      writeErr: text => terminal.note(text.trimEnd()),
    })
    .addHelpText('after', EXIT_CODES);

  program
    .command('init')
    .description('write a commented sluice.yaml to start from')
    .action(async () => onExit(await (await import('./commands/init.ts')).init(context())));

  program
    .command('demo')
    .description('export sample data from an embedded PostgreSQL to an embedded blob emulator')
    .option('--keep', 'leave both running and print how to use them')
    .action(async options => onExit(await (await import('./demo/demo.ts')).demo(options, context())));

  program
    .command('validate')
    .description('check the configuration, then sources and destinations')
    .argument('[NAME...]', 'activations; all without a name')
    .option('--offline', 'check what can be checked without a connection')
    .option('--json', 'print what was found as one line of JSON')
    .action(async (names, options) =>
      onExit(await (await import('./commands/validate.ts')).validate(names, options, context())),
    );

  program
    .command('preview')
    .description('show the first mapped rows with their types')
    .argument('<NAME>', 'activation')
    .option('--rows <count>', 'how many rows', parseRows, 10)
    .action(async (name, options) =>
      onExit(await (await import('./commands/preview.ts')).preview(name, options, context())),
    );

  program
    .command('run')
    .description('run activations now, one after the other')
    .argument('[NAME...]', 'activations')
    .option('--all', 'every activation of the configuration')
    .option('--full', 'export every row and begin a new baseline')
    .option('--allow-removals', 'publish what a safety gate would hold')
    .option('--json', 'print the record of each run as one line of JSON, and nothing else')
    .action(async (names, options, command: Command) => {
      if (options.all && names.length > 0) command.error('--all stands beside names; give one of them');
      if (!options.all && names.length === 0)
        command.error("missing argument 'NAME': give names of activations, or --all");
      onExit(await (await import('./commands/run.ts')).run(names, options, context()));
    });

  program
    .command('activations')
    .description('list activations with source, destination, schedule and last run')
    .option('--json', 'print each as one line of JSON')
    .action(async options =>
      onExit(await (await import('./commands/activations.ts')).activations(options, context())),
    );

  program
    .command('serve')
    .description('run the daemon: HTTP API, schedules, notifications')
    .option('--host <address>', 'address to listen on; default daemon.host of the configuration')
    .option('--port <port>', 'port to listen on, 0 for a free one; default daemon.port', parsePort)
    .addOption(
      new Option('--log <format>', 'format of the log')
        .choices(['pretty', 'json'])
        .default(undefined, 'pretty on a terminal'),
    )
    .action(async options => onExit(await (await import('./commands/serve.ts')).serve(options, context())));

  program
    .command('runs')
    .description('list runs, the newest first')
    .argument('[NAME]', 'activation; all without a name')
    .option('--limit <count>', 'how many runs', parseRows, 20)
    .option('--json', 'print the record of each run as one line of JSON')
    .action(async (name, options) =>
      onExit(await (await import('./commands/runs.ts')).runs(name, options, context())),
    );

  program
    .command('show')
    .description('show one run')
    .argument('<RUN>', 'id of a run')
    .option('--json', 'print its record as one line of JSON')
    .action(async (run, options) =>
      onExit(await (await import('./commands/show.ts')).show(run, options, context())),
    );

  const state = program
    .command('state')
    .description('show, reset, back up or restore the baseline of an activation')
    .helpCommand(false);
  state
    .command('show')
    .description('show generation, run, keys, columns and size')
    .argument('<NAME>', 'activation')
    .option('--json', 'print it as one line of JSON')
    .action(async (name, options) =>
      onExit(await (await import('./commands/state.ts')).showState(name, options, context())),
    );
  state
    .command('reset')
    .description('remove the baseline: the next run exports every row')
    .argument('<NAME>', 'activation')
    .option('--yes', 'do not ask')
    .option('--abandon', 'give up a run that is decided and cannot be finished, and keep the baseline')
    .option('--json', 'print what was removed as one line of JSON')
    .action(async (name, options) =>
      onExit(await (await import('./commands/state.ts')).resetStateOf(name, options, context())),
    );
  state
    .command('backup')
    .description('copy the baseline to the destination')
    .argument('<NAME>', 'activation')
    .option('--force', 'though there is a backup of a later generation')
    .option('--json', 'print what was done as one line of JSON')
    .action(async (name, options) =>
      onExit(await (await import('./commands/state.ts')).backupStateOf(name, options, context())),
    );
  state
    .command('backups')
    .description('list the backups in the destination, the newest first')
    .argument('<NAME>', 'activation')
    .option('--json', 'print each as one line of JSON')
    .action(async (name, options) =>
      onExit(await (await import('./commands/state.ts')).listBackupsOf(name, options, context())),
    );
  state
    .command('restore')
    .description('take the baseline back from the destination')
    .argument('<NAME>', 'activation')
    .option('--backup <id>', 'which backup, of those that `state backups` lists; the latest without it')
    .option('--force', 'though the destination or the local state is ahead of it')
    .option('--json', 'print what was done as one line of JSON')
    .action(async (name, options) =>
      onExit(await (await import('./commands/state.ts')).restoreStateOf(name, options, context())),
    );

  program
    .command('verify')
    .description('read the published files of a run back and check them')
    .argument('<RUN>', 'id of a run')
    .argument('[NAME]', 'its activation; found out without a name')
    .option('--json', 'print what was found as one line of JSON')
    .action(async (run, name, options) =>
      onExit(await (await import('./commands/verify.ts')).verify(run, name, options, context())),
    );

  program
    .command('schema')
    .description('print the JSON Schema of sluice.yaml')
    .action(async () => onExit(await (await import('./commands/schema.ts')).schema(context())));

  program
    .command('help')
    .description('print help for a command')
    .argument('[command...]', 'such as `run`, or `state backup`')
    .action((words: string[], _options, help: Command) => helpTarget(program, words, help).outputHelp());

  nameHelp(program, '');
  return program;
}

/** The command of these words. Ends with the error of the command `help` where there is none. */
function helpTarget(program: Command, words: readonly string[], help: Command): Command {
  let target = program;
  for (const word of words) {
    const found = target.commands.find(command => command.name() === word);
    if (found === undefined) help.error(`unknown command '${words.join(' ')}'`);
    target = found;
  }
  return target;
}

/** An error of usage names the help of the command that it is about. */
function nameHelp(command: Command, path: string): void {
  command.configureOutput({
    outputError: (text, write) =>
      write(
        `error USAGE: ${text
          .trim()
          .replace(/^error: /, '')
          .replace(/\s*\n\s*/g, ' ')}; see \`sluice help${path}\``,
      ),
  });
  for (const child of command.commands)
    nameHelp(child, child.name() === 'help' ? '' : `${path} ${child.name()}`);
}

const EXIT_CODES = `
Exit codes:
  0    done, warnings included
  1    failed for good
  2    wrong usage or configuration
  3    held until a person lets it through: the message says how
  75   failed and worth another try
  130  cancelled`;

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('Expected a number from 0 to 65535.');
  return port;
}

const MAX_PREVIEW_ROWS = 10_000;

function parseRows(text: string): number {
  const rows = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (rows < 1 || rows > MAX_PREVIEW_ROWS)
    throw new InvalidArgumentError(`Expected a number from 1 to ${MAX_PREVIEW_ROWS}.`);
  return rows;
}
