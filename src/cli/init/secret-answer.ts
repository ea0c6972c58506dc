import type { Dialogue } from '../terminal/dialogue.ts';

/** What stands in the file for a text that was typed. */
export interface WrittenText {
  readonly written: string;
  /** The variable that it names, and what belongs into it. */
  readonly variable?: { readonly name: string; readonly value: string };
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export const isReference = (text: string): boolean => /^\$\{[^}]+\}$/.test(text);

/** Offers to let the file name a variable in the place of a secret. */
export async function writeSecret(
  dialogue: Dialogue,
  secret: string,
  suggested: string,
): Promise<WrittenText> {
  for (;;) {
    const name = await dialogue.ask(
      'That is a secret. Variable of the environment for the file to name, or - to write it into the file:',
      suggested,
    );
    if (name === '-') return { written: secret.replaceAll('${', '$${') };
    const bare = isReference(name) ? name.slice(2, -1) : name;
    if (VARIABLE.test(bare)) return { written: `\${${bare}}`, variable: { name: bare, value: secret } };
  }
}
