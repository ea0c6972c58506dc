import type { Command } from 'commander';
import { type Act, examples, parseSlice, parseSlices } from './definition.ts';

/** The verbs of a run that a scheduler makes, on as many machines as it likes. */
export function defineSlicing(program: Command, act: Act): void {
  program
    .command('begin')
    .description('plan a run that others read slice by slice')
    .argument('<NAME>', 'activation, with runType full_only')
    .requiredOption(
      '--out <plan>',
      'the plan: a file, or state:NAME; what its slices leave behind is kept beside it',
    )
    .option('--slices <n>', 'about how many slices; as many as suit the table unless given', parseSlices)
    .option('--json', 'print the run and its number of slices as one line of JSON')
    .addHelpText(
      'after',
      examples(
        'sluice begin orders_to_lake --out /plans/orders-2025-04-14.json',
        'sluice begin orders_to_lake --out state:orders-2025-04-14 --slices 16 --json',
      ),
    )
    .action((name, options) =>
      act(async context => (await import('../commands/sliced/begin.ts')).begin(name, options, context)),
    );

  program
    .command('slice')
    .description('read and stage one slice of a planned run')
    .argument('<PLAN>', 'the plan: a file, or state:NAME')
    .argument('<N>', 'which slice, counted from 0', parseSlice)
    .option('--json', 'print its rows and bytes as one line of JSON')
    .addHelpText(
      'after',
      examples('sluice slice /plans/orders-2025-04-14.json 3', 'sluice slice state:orders-2025-04-14 3'),
    )
    .action((plan, number, options) =>
      act(async context =>
        (await import('../commands/sliced/slice.ts')).slice(plan, number, options, context),
      ),
    );

  program
    .command('finalise')
    .description('publish a planned run whose slices have all been read')
    .argument('<PLAN>', 'the plan: a file, or state:NAME')
    .option('--json', 'print the record of the run as one line of JSON, and nothing else')
    .addHelpText('after', examples('sluice finalise /plans/orders-2025-04-14.json'))
    .action((plan, options) =>
      act(async context => (await import('../commands/sliced/finalise.ts')).finalise(plan, options, context)),
    );
}
