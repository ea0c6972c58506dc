import type { Command } from 'commander';
import {
  type Act,
  examples,
  ON_DAEMON,
  PARAM,
  parseParam,
  parseRows,
  parseSampledRows,
} from './definition.ts';

/** Commands that show what there is, and change nothing. */
export function defineLooking(program: Command, act: Act): void {
  program
    .command('status')
    .description('show how activations stand: last run, next run, what needs attention')
    .argument('[NAME]', 'activation; all without a name')
    .option(...ON_DAEMON)
    .option('--json', 'print each as one line of JSON')
    .addHelpText(
      'after',
      examples('sluice status', 'sluice status customers_to_lake --on http://127.0.0.1:7345'),
    )
    .action((name, options) =>
      act(async context => (await import('../commands/status.ts')).status(name, options, context)),
    );

  program
    .command('activations')
    .description('list activations with source, destination, schedule and last run')
    .option('--json', 'print each as one line of JSON')
    .addHelpText('after', examples('sluice activations'))
    .action(options =>
      act(async context => (await import('../commands/activations.ts')).activations(options, context)),
    );

  program
    .command('preview')
    .description('show the first mapped rows with their types')
    .argument('<NAME>', 'activation')
    .option('--rows <count>', 'how many rows', parseRows, 10)
    .option(...PARAM, parseParam)
    .addHelpText('after', examples('sluice preview customers_to_lake --rows 3'))
    .action((name, options) =>
      act(async context => (await import('../commands/preview.ts')).preview(name, options, context)),
    );

  program
    .command('plan')
    .description('show what a run now would publish, and publish nothing')
    .argument('<NAME>', 'activation')
    .option('--full', 'plan a run with every row and a new baseline')
    .option(...PARAM, parseParam)
    .option('--rows <count>', 'how many rows to show of each change, at most 100', parseSampledRows, 20)
    .option('--json', 'print the plan as one line of JSON')
    .addHelpText(
      'after',
      examples('sluice plan customers_to_lake', 'sluice plan customers_to_lake --rows 100 --json'),
    )
    .action((name, options) =>
      act(async context => (await import('../commands/plan.ts')).plan(name, options, context)),
    );

  program
    .command('runs')
    .description('list runs, the newest first')
    .argument('[NAME]', 'activation; all without a name')
    .option('--limit <count>', 'how many runs', parseRows, 20)
    .option(...ON_DAEMON)
    .option('--json', 'print the record of each run as one line of JSON')
    .addHelpText('after', examples('sluice runs', 'sluice runs customers_to_lake --limit 5'))
    .action((name, options) =>
      act(async context => (await import('../commands/runs.ts')).runs(name, options, context)),
    );

  program
    .command('show')
    .description('show one run')
    .argument('<RUN>', 'id of a run')
    .option('--follow', 'show its progress until it has ended, and exit as `sluice run` would')
    .option(...ON_DAEMON)
    .option('--json', 'print its record as one line of JSON')
    .addHelpText(
      'after',
      examples(
        'sluice show 20250414-070000-123-k3f9ab',
        'sluice show 20250414-070000-123-k3f9ab --follow --on http://127.0.0.1:7345',
      ),
    )
    .action((run, options) =>
      act(async context => (await import('../commands/show.ts')).show(run, options, context)),
    );

  program
    .command('verify')
    .description('read the published files of a run back and check them')
    .argument('<RUN>', 'id of a run')
    .argument('[NAME]', 'its activation; found out without a name')
    .option('--json', 'print what was found as one line of JSON')
    .addHelpText('after', examples('sluice verify 20250414-070000-123-k3f9ab'))
    .action((run, name, options) =>
      act(async context => (await import('../commands/verify.ts')).verify(run, name, options, context)),
    );
}
