import { configJsonSchema } from '../../config/schema/json-schema.ts';
import { EXIT } from '../../errors.ts';
import type { CommandContext } from '../command-context.ts';

/** `sluice schema`: what editors check and complete `sluice.yaml` with. */
export async function schema({ terminal }: CommandContext): Promise<number> {
  terminal.print(JSON.stringify(configJsonSchema(), undefined, 2));
  return EXIT.done;
}
