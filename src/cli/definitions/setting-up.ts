import { Argument, type Command } from 'commander';
import { type Act, examples } from './definition.ts';

/** Commands that lead to a configuration that works. */
export function defineSettingUp(program: Command, act: Act): void {
  program
    .command('init')
    .description('write a commented sluice.yaml to start from')
    .addHelpText('after', examples('sluice init', 'sluice --config export.yaml init'))
    .action(() => act(async context => (await import('../commands/init.ts')).init(context)));

  program
    .command('demo')
    .description('export sample data from an embedded PostgreSQL to an embedded blob emulator')
    .option('--keep', 'leave both running and print how to use them')
    .addHelpText('after', examples('sluice demo', 'sluice demo --keep'))
    .action(options => act(async context => (await import('../demo/demo.ts')).demo(options, context)));

  program
    .command('validate')
    .description('check the configuration, then sources and destinations')
    .argument('[NAME...]', 'activations; all without a name')
    .option('--offline', 'check what can be checked without a connection')
    .option('--json', 'print what was found as one line of JSON')
    .addHelpText('after', examples('sluice validate', 'sluice validate customers_to_lake --offline'))
    .action((names, options) =>
      act(async context => (await import('../commands/validate.ts')).validate(names, options, context)),
    );

  program
    .command('config')
    .description('show what an activation is configured with, and where each value stands')
    .argument('<NAME>', 'activation')
    .option('--json', 'print it as one line of JSON')
    .addHelpText('after', examples('sluice config customers_to_lake'))
    .action((name, options) =>
      act(async context => (await import('../commands/config.ts')).config(name, options, context)),
    );

  program
    .command('doctor')
    .description('check this machine: Node.js, data directory, memory, proxies, clocks, packages')
    .option('--json', 'print what was found as one line of JSON')
    .addHelpText('after', examples('sluice doctor', 'sluice doctor --json'))
    .action(options =>
      act(async context => (await import('../commands/doctor.ts')).doctor(options, context)),
    );

  program
    .command('explain')
    .description('say what a code means, and what to do')
    .argument('<CODE>', 'code of an error, a warning, a note or a held run, or an exit code')
    .addHelpText('after', examples('sluice explain STATE_LOST', 'sluice explain 75'))
    .action(code => act(async context => (await import('../commands/explain.ts')).explain(code, context)));

  program
    .command('schema')
    .description('print the JSON Schema of sluice.yaml')
    .addHelpText('after', examples('sluice schema > sluice.schema.json'))
    .action(() => act(async context => (await import('../commands/schema.ts')).schema(context)));

  program
    .command('completion')
    .description('print the script by which a shell completes commands, names and ids of runs')
    .addArgument(new Argument('<shell>', 'which one').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examples('sluice completion bash > /etc/bash_completion.d/sluice', 'sluice completion fish'),
    )
    .action(shell =>
      act(async context => (await import('../commands/completion.ts')).completion(shell, context)),
    );

  // For those scripts.
  program
    .command('complete', { hidden: true })
    .argument('<at>', 'which word of the line', Number)
    .argument('[line...]', 'the line, after --')
    .action((at, line) =>
      act(async context => (await import('../commands/completion.ts')).complete(program, at, line, context)),
    );
}
