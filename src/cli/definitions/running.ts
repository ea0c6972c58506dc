import { type Command, Option } from 'commander';
import { type Act, examples, ON_DAEMON, PARAM, parseParam, parsePort, parseSlices } from './definition.ts';

function logOption(): Option {
  return new Option('--log <format>', 'format of the log')
    .choices(['pretty', 'json'])
    .default(undefined, 'pretty on a terminal');
}

/** Commands that begin runs, and say when there are none. */
export function defineRunning(program: Command, act: Act): void {
  program
    .command('run')
    .description('run activations now, one after the other')
    .argument('[NAME...]', 'activations')
    .option('--all', 'every activation of the configuration')
    .option('--full', 'export every row and begin a new baseline')
    .option('--allow-removals', 'publish what a safety gate would hold')
    .option(...PARAM, parseParam)
    .addOption(
      new Option(
        '--to <folder>',
        'export every row to a local folder, and leave destination and baseline alone',
      ).conflicts(['on', 'full', 'allowRemovals']),
    )
    .option(...ON_DAEMON)
    .option('--json', 'print the record of each run as one line of JSON, and nothing else')
    .addHelpText(
      'after',
      examples(
        'sluice run customers_to_lake',
        'sluice run --all --json',
        'sluice run customers_to_lake --to ./out',
        'sluice run orders_to_lake --param day=2025-04-14',
        'sluice run customers_to_lake --on http://127.0.0.1:7345',
      ),
    )
    .action((names, options, command: Command) => {
      if (options.all && names.length > 0) command.error('--all stands beside names; give one of them');
      if (!options.all && names.length === 0)
        command.error("missing argument 'NAME': give names of activations, or --all");
      return act(async context => (await import('../commands/run.ts')).run(names, options, context));
    });

  program
    .command('serve')
    .description('run the daemon: HTTP API, schedules, notifications')
    .option('--host <address>', 'address to listen on; default daemon.host of the configuration')
    .option('--port <port>', 'port to listen on, 0 for a free one; default daemon.port', parsePort)
    .addOption(logOption())
    .addHelpText('after', examples('sluice serve', 'sluice serve --port 8080 --log json'))
    .action(options => act(async context => (await import('../commands/serve.ts')).serve(options, context)));

  program
    .command('worker')
    .description('read slices of runs that `sluice serve` puts into the queue')
    .option('--slices <n>', 'slices at one time', parseSlices, 1)
    .addOption(logOption())
    .addHelpText('after', examples('sluice worker', 'sluice worker --slices 4 --log json'))
    .action(options =>
      act(async context => (await import('../commands/sliced/worker.ts')).worker(options, context)),
    );

  program
    .command('pause')
    .description('let no run of an activation begin until it is resumed')
    .argument('<NAME>', 'activation')
    .requiredOption(...ON_DAEMON)
    .option('--reason <text>', 'why, for whoever asks')
    .option('--json', 'print how the activation then stands as one line of JSON')
    .addHelpText(
      'after',
      examples('sluice pause customers_to_lake --on http://127.0.0.1:7345 --reason "load of the warehouse"'),
    )
    .action((name, options) =>
      act(async context => (await import('../commands/pause.ts')).pause(name, options, context)),
    );

  program
    .command('resume')
    .description('let runs of a paused activation begin again')
    .argument('<NAME>', 'activation')
    .requiredOption(...ON_DAEMON)
    .option('--json', 'print how the activation then stands as one line of JSON')
    .addHelpText('after', examples('sluice resume customers_to_lake --on http://127.0.0.1:7345'))
    .action((name, options) =>
      act(async context => (await import('../commands/pause.ts')).resume(name, options, context)),
    );
}
