import type { Command } from 'commander';
import { type Act, examples, PARAM_OF_SET, parseParam } from './definition.ts';

/** `sluice state` and its commands. */
export function defineState(program: Command, act: Act): void {
  const state = program
    .command('state')
    .description('show, reset, back up or restore the baseline of an activation')
    .helpCommand(false);
  state
    .command('show')
    .description('show generation, run, keys, columns and size')
    .argument('<NAME>', 'activation')
    .option(...PARAM_OF_SET, parseParam)
    .option('--json', 'print it as one line of JSON')
    .addHelpText('after', examples('sluice state show customers_changes'))
    .action((name, options) =>
      act(async context => (await import('../commands/state.ts')).showState(name, options, context)),
    );
  state
    .command('reset')
    .description('remove the baseline: the next run exports every row')
    .argument('<NAME>', 'activation')
    .option(...PARAM_OF_SET, parseParam)
    .option('--yes', 'do not ask')
    .option('--abandon', 'give up a run that is decided and cannot be finished, and keep the baseline')
    .option('--all-sets', 'the baselines of all sets of parameter values')
    .option('--json', 'print what was removed as one line of JSON')
    .addHelpText('after', examples('sluice state reset customers_changes --yes'))
    .action((name, options) =>
      act(async context => (await import('../commands/state.ts')).resetStateOf(name, options, context)),
    );
  state
    .command('backup')
    .description('copy the baseline to the destination')
    .argument('<NAME>', 'activation')
    .option(...PARAM_OF_SET, parseParam)
    .option('--force', 'though there is a backup of a later generation')
    .option('--json', 'print what was done as one line of JSON')
    .addHelpText('after', examples('sluice state backup customers_changes'))
    .action((name, options) =>
      act(async context => (await import('../commands/state.ts')).backupStateOf(name, options, context)),
    );
  state
    .command('backups')
    .description('list the backups in the destination, the newest first')
    .argument('<NAME>', 'activation')
    .option(...PARAM_OF_SET, parseParam)
    .option('--json', 'print each as one line of JSON')
    .addHelpText('after', examples('sluice state backups customers_changes'))
    .action((name, options) =>
      act(async context => (await import('../commands/state.ts')).listBackupsOf(name, options, context)),
    );
  state
    .command('restore')
    .description('take the baseline back from the destination')
    .argument('<NAME>', 'activation')
    .option(...PARAM_OF_SET, parseParam)
    .option('--backup <id>', 'which backup, of those that `state backups` lists; the latest without it')
    .option('--force', 'though the destination or the local state is ahead of it')
    .option('--json', 'print what was done as one line of JSON')
    .addHelpText('after', examples('sluice state restore customers_changes'))
    .action((name, options) =>
      act(async context => (await import('../commands/state.ts')).restoreStateOf(name, options, context)),
    );
}
