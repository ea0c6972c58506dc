import type { LoadedConfig, LoadOptions } from '../config/load.ts';
import type { Terminal } from './terminal/terminal.ts';

/** What every command is given: the terminal and the global options. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly configPath: string;
  readonly verbose: boolean;
}

/** Loads the configuration; from here on nothing that is printed holds a secret of it. */
export async function openConfig(
  { terminal, configPath }: CommandContext,
  mayBeUnset: LoadOptions['mayBeUnset'] = () => false,
): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/load.ts');
  const loaded = loadConfig({ path: configPath, mayBeUnset });
  terminal.redactor = loaded.redactor;
  return loaded;
}

/**
 * The local history needs only its place from the configuration: variables that only a
 * run needs may be missing.
 */
export function openHistoryConfig(context: CommandContext): Promise<LoadedConfig> {
  return openConfig(context, ([section]) => section !== 'dataDirectory');
}
