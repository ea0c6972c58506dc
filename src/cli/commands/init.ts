import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { configJsonSchema } from '../../config/schema/json-schema.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import type { CommandContext } from '../command-context.ts';
import type { AskedConfig } from '../init/ask-for-config.ts';
import { SCHEMA_FILE } from '../init/modeline.ts';
import { STARTING_POINT } from '../init/starting-point.ts';
import { Dialogue } from '../terminal/dialogue.ts';
import { DEFAULT_CONFIG } from '../terminal/next-command.ts';
import { wrapped } from '../terminal/wrap.ts';

/**
 * `sluice init`: a configuration where there is none yet, of what a person answers at the
 * terminal, or to start from. Nothing is asked where nobody can answer.
 */
export async function init(context: CommandContext): Promise<number> {
  const { terminal, configPath } = context;
  if (existsSync(configPath)) throw existsAlready(configPath);
  const asked = await ask(context);
  write(configPath, asked?.text ?? STARTING_POINT);
  const schemaPath = join(dirname(configPath), SCHEMA_FILE);
  if (!existsSync(schemaPath)) write(schemaPath, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
  if (!terminal.isQuiet) terminal.print(`${configPath} is written. Next:\n${nextSteps(asked, context)}`);
  return EXIT.done;
}

async function ask({ terminal, configPath }: CommandContext): Promise<AskedConfig | undefined> {
  if (!Dialogue.isPossible) return undefined;
  const { askForConfig } = await import('../init/ask-for-config.ts');
  const asked = await askForConfig(terminal, configPath);
  if (asked?.folder) mkdirSync(resolve(dirname(configPath), asked.folder), { recursive: true });
  return asked;
}

function nextSteps(asked: AskedConfig | undefined, { terminal, configPath }: CommandContext): string {
  const command = configPath === DEFAULT_CONFIG ? 'sluice' : `sluice --config ${configPath}`;
  const {
    variables,
    activations: [first],
  } = asked ?? EXAMPLE;
  const names = variables.join(' and ');
  const also = asked ? ' in the environment' : ', and put your account, container and query into the file';
  const set = names === '' ? [] : [`set ${names}${also}`];
  return [...set, `${command} validate`, `${command} run ${first}`]
    .map((step, index) => wrapped(`  ${index + 1}. ${terminal.clean(step)}`, COLUMNS, HANG))
    .join('\n');
}

/** Wherever it is printed to. */
const COLUMNS = 80;
/** Behind the number of a step. */
const HANG = 5;

const EXAMPLE = {
  variables: ['WAREHOUSE_URL', 'AZURE_SAS_TOKEN'],
  activations: ['customers_to_lake'],
};

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw existsAlready(path, cause);
    throw new SluiceError('USAGE', `${path} cannot be written (${code ?? 'unknown error'})`, {
      cause,
      hint: 'name a file in a folder that can be written with --config',
    });
  }
}

function existsAlready(path: string, cause?: unknown): SluiceError {
  return new SluiceError('USAGE', `${path} exists already, and init overwrites nothing`, {
    cause,
    hint: 'move it away, or name another file with --config',
  });
}
