import { nearestName } from '../../config/checks/nearest-name.ts';
import { type CodeMeaning, codeMeanings } from '../../daemon/code-meanings.ts';
import { EXIT, SluiceError } from '../../errors.ts';
import type { CommandContext } from '../command-context.ts';
import type { Terminal } from '../terminal/terminal.ts';

/**
 * `sluice explain`: what a code of an error, a warning, a note, a held run or an exit
 * means, and what to do.
 */
export async function explain(code: string, { terminal }: CommandContext): Promise<number> {
  const meanings = codeMeanings();
  const wanted = code.trim().toUpperCase();
  const found = meanings.filter(meaning => meaning.code === wanted);
  if (found.length === 0) {
    const near = nearestName(wanted, [...new Set(meanings.map(meaning => meaning.code))]);
    const meant = near === undefined ? '' : `; did you mean ${near}?`;
    throw new SluiceError('NAME_UNKNOWN', `there is no code ${JSON.stringify(code)}${meant}`, {
      hint: 'docs/reference/errors.md lists all codes',
    });
  }
  terminal.print(found.map(meaning => described(meaning, terminal)).join('\n\n'), LABEL_COLUMNS);
  return EXIT.done;
}

const LABEL_COLUMNS = 9;

function described({ code, kind, happens, advice, facts }: CodeMeaning, terminal: Terminal): string {
  const lines = { when: happens, do: advice, ...(facts !== undefined && { also: facts }) };
  return [
    `${terminal.paint('bold', code)}: ${kind}`,
    ...Object.entries(lines).map(([label, text]) => `  ${label.padEnd(LABEL_COLUMNS - 2)}${text}`),
  ].join('\n');
}
