import type { Argument, Command, Option } from 'commander';
import { EXIT } from '../../errors.ts';
import { type CommandContext, openHistoryConfig } from '../command-context.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

/**
 * Each asks `sluice complete` for the words that may stand at the cursor; without any,
 * bash and zsh offer files.
 */
const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# Completion of sluice for bash: source <(sluice completion bash)
_sluice() {
  local IFS=$'\\n'
  COMPREPLY=($(sluice complete "$COMP_CWORD" -- "\${COMP_WORDS[@]}" 2>/dev/null))
}
complete -o default -F _sluice sluice`,
  zsh: `#compdef sluice
# Completion of sluice for zsh: source <(sluice completion zsh), after compinit; or the file _sluice of fpath
_sluice() {
  local -a found
  found=("\${(@f)$(sluice complete $((CURRENT - 1)) -- "\${words[@]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
if [[ "\${funcstack[1]}" == _sluice ]]; then _sluice "$@"; else compdef _sluice sluice; fi`,
  fish: `# Completion of sluice for fish: sluice completion fish | source
function __sluice_complete
  set -l before (commandline -opc)
  sluice complete (count $before) -- $before (commandline -ct) 2>/dev/null
end
complete -c sluice -f -a '(__sluice_complete)'`,
};

/** `sluice completion`: the script that a shell reads. */
export async function completion(shell: Shell, { terminal }: CommandContext): Promise<number> {
  terminal.print(SCRIPTS[shell]);
  return EXIT.done;
}

/**
 * `sluice complete`: the words that may stand at that place of a command line, which
 * begins with the program's name.
 */
export async function complete(
  program: Command,
  at: number,
  line: readonly string[],
  context: CommandContext,
): Promise<number> {
  const current = line[at] ?? '';
  // Nobody wants to read an error between the words of a line.
  const found = await candidates(program, line.slice(1, at), current, context).catch(() => []);
  const fitting = found.filter(word => word.startsWith(current));
  if (fitting.length > 0) context.terminal.print(fitting.join('\n'));
  return EXIT.done;
}

async function candidates(
  program: Command,
  before: readonly string[],
  current: string,
  context: CommandContext,
): Promise<readonly string[]> {
  let command = program;
  let position = 0;
  let awaiting: Option | undefined;
  let configPath = context.configPath;
  const optionOf = (word: string): Option | undefined =>
    [...command.options, ...program.options].find(({ long, short }) => word === long || word === short);
  for (const word of before) {
    if (awaiting !== undefined) {
      if (awaiting.long === '--config') configPath = word;
      awaiting = undefined;
    } else if (word.startsWith('-')) {
      const option = optionOf(word);
      if (option?.required || option?.optional) awaiting = option;
    } else {
      const child = visibleCommands(command).find(one => one.name() === word);
      if (child !== undefined && position === 0) command = child;
      else position++;
    }
  }
  if (awaiting !== undefined) return awaiting.argChoices ?? [];
  if (current.startsWith('-')) {
    const options = [...command.options, ...program.options].flatMap(({ long }) => long ?? []);
    return [...new Set([...options, '--help'])];
  }
  const children = visibleCommands(command);
  if (children.length > 0) return children.map(child => child.name());
  const { registeredArguments: all } = command;
  const argument = all[position] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
  return argument === undefined ? [] : wordsFor(argument, program, { ...context, configPath });
}

function visibleCommands(command: Command): Command[] {
  return command.createHelp().visibleCommands(command) as Command[];
}

/** How many ids of runs are offered: the newest. */
const RUNS = 50;

async function wordsFor(
  argument: Argument,
  program: Command,
  context: CommandContext,
): Promise<readonly string[]> {
  if (argument.argChoices !== undefined) return argument.argChoices;
  switch (argument.name()) {
    case 'NAME':
      return Object.keys((await openHistoryConfig(context)).config.activations);
    case 'RUN': {
      const { dataDirectory } = (await openHistoryConfig(context)).config;
      const { listRuns } = await import('../../history/record-files.ts');
      return (await listRuns({ dataDirectory, limit: RUNS })).records.map(({ run }) => run);
    }
    case 'CODE': {
      const { codeMeanings } = await import('../../daemon/code-meanings.ts');
      return [...new Set(codeMeanings().map(({ code }) => code))];
    }
    case 'command':
      return visibleCommands(program).map(command => command.name());
    default:
      return [];
  }
}
