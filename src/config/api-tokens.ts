import type { DeepReadonly } from './deep-freeze.ts';
import type { DaemonConfig } from './schema/schema.ts';

type Tokens = DeepReadonly<DaemonConfig['tokens']>;
type NamedToken = Extract<Tokens, readonly unknown[]>[number];

/** Every token of the daemon; those without a name are called by kind and place. */
export function apiTokens(tokens: Tokens): readonly NamedToken[] {
  if (isList(tokens)) return tokens;
  const ofKind = (may: 'read' | 'write'): NamedToken[] =>
    tokens[may].map((token, index) => ({ name: `${may} ${index + 1}`, token, may }));
  return [...ofKind('read'), ...ofKind('write')];
}

/** Whether a token sees the activation. */
export function seesActivation({ activations }: Pick<NamedToken, 'activations'>, name: string): boolean {
  return activations === undefined || activations.some(pattern => patternOf(pattern).test(name));
}

/** Names hold nothing that means anything in an expression; `*` is any text. */
function patternOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
}

function isList(tokens: Tokens): tokens is Extract<Tokens, readonly unknown[]> {
  return Array.isArray(tokens);
}
