import { type ResolvedActivation, resolveActivation } from '../../../src/config/activation.ts';
import { parse, yaml } from '../../config/support.ts';

/** An activation of a real configuration, `name` instead of `export`. */
export function activation(
  name: string,
  keys: Record<string, unknown> = {},
  environment: Record<string, string> = {},
): ResolvedActivation {
  const text = yaml(keys, 'daemon: { smtp: { host: localhost, from: sluice@example.com } }\n');
  const { config } = parse(text.replace('\n  export:', `\n  ${name}:`), environment);
  return resolveActivation(config, name);
}
