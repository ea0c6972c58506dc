import { Command, CommanderError } from 'commander';
import { EXIT } from '../errors.ts';
import { sluiceVersion } from '../run/version.ts';
import type { CommandContext } from './command-context.ts';
import type { Act } from './definitions/definition.ts';
import { defineLooking } from './definitions/looking.ts';
import { defineRunning } from './definitions/running.ts';
import { defineSettingUp } from './definitions/setting-up.ts';
import { defineSlicing } from './definitions/slicing.ts';
import { defineState } from './definitions/state.ts';
import { exitCodeOfError } from './exit-code.ts';
import { noteFailure } from './failure.ts';
import { DEFAULT_CONFIG } from './terminal/next-command.ts';
import type { Terminal } from './terminal/terminal.ts';

interface GlobalOptions {
  readonly config: string;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
  readonly color: boolean;
}

/**
 * Runs one command line, without the program's own name. Returns the exit code; never
 * rejects.
 */
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

/**
 * Every command; what one does is imported only when it is called, so that each starts
 * fast.
 */
function buildProgram(terminal: Terminal, onExit: (code: number) => void): Command {
  const program = new Command('sluice');
  const context = (): CommandContext => {
    const { config, verbose, quiet, color } = program.opts<GlobalOptions>();
    terminal.isQuiet = quiet === true;
    terminal.mayColor = color;
    return { terminal, configPath: config, verbose: verbose === true };
  };
  program
    .description('Exports database queries to Azure Blob Storage, whole or as changes.')
    .option('--config <path>', 'configuration file, or folder of them', DEFAULT_CONFIG)
    .option('--verbose', 'print the causes of errors')
    .option('--quiet', 'print no progress and no summary, only warnings and errors')
    .option('--no-color', 'print without colours, as with NO_COLOR')
    .version(sluiceVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: text => terminal.print(text.trimEnd()),
      writeErr: text => terminal.note(text.trimEnd()),
    })
    .addHelpText('after', EXIT_CODES);

  const act: Act = async command => onExit(await command(context()));
  defineSettingUp(program, act);
  defineRunning(program, act);
  defineSlicing(program, act);
  defineLooking(program, act);
  defineState(program, act);

  program
    .command('help')
    .description('print help for a command')
    .argument('[command...]', 'such as `run`, or `state backup`')
    .action((words: string[], _options, help: Command) => helpTarget(program, words, help).outputHelp());

  nameHelp(program, '');
  return program;
}

/**
 * The command of these words. Ends with the error of the command `help` where there is
 * none.
 */
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
  10   a plan has changes to publish
  75   failed and worth another try
  130  cancelled`;
