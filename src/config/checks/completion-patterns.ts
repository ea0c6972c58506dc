import { FILE } from '../completion.ts';
import { parseTemplate } from '../file-name.ts';
import {
  isSlash,
  literal,
  type NamePatterns,
  type NameSource,
  namePatterns,
  patternsFrom,
  type Step,
  stepsOf,
} from './blob-name-patterns.ts';

type Steps = readonly Step[];

/**
 * The names of `success`, which lies in the deepest folder that all files of a run share.
 */
export function successPatterns(source: NameSource, success: string): NamePatterns {
  const files = namePatterns(source);
  const names = kindsOf(source).flatMap(kind => {
    const name = parseTemplate(success).flatMap(token => stepsOf(token, source, kind));
    return foldersOf(files).map(folder => [...folder, ...name]);
  });
  return patternsFrom(commonSteps(names), names);
}

/** The names of `control.name`: one for each file, or one for all. */
export function controlPatterns(source: NameSource, name: string): NamePatterns {
  const files = namePatterns(source);
  const folder = literal(source.folder);
  const names = kindsOf(source).flatMap(kind => {
    const [first = [], ...pieces] = name
      .split(FILE)
      .map(piece => parseTemplate(piece).flatMap(token => stepsOf(token, source, kind)));
    if (pieces.length === 0) return [[...folder, ...first]];
    return files.patterns.map(({ steps }) => {
      const file = steps.slice(folder.length);
      return [...folder, ...first, ...pieces.flatMap(piece => [...file, ...piece])];
    });
  });
  return patternsFrom(commonSteps(names), names);
}

function kindsOf({ kinds = ['full', 'delta'] }: NameSource): NonNullable<NameSource['kinds']> {
  return kinds;
}

/**
 * Folders that the files of one run may share: with the number of a part in it, not that
 * of a run of many parts. Of partitions it is the one above all of them.
 */
function foldersOf({ patterns }: NamePatterns): Steps[] {
  return patterns.flatMap(({ steps }) => {
    const column = steps.findIndex(({ isColumn }) => isColumn);
    const whole = folderOf(column < 0 ? steps : steps.slice(0, column));
    const repeated = whole.findIndex(({ repeats, characters }) => repeats && /^\d+$/.test(characters));
    return repeated < 0 ? [whole] : [whole, folderOf(whole.slice(0, repeated))];
  });
}

function folderOf(steps: Steps): Steps {
  return steps.slice(0, steps.findLastIndex(isSlash) + 1);
}

function commonSteps([first = [], ...others]: readonly Steps[]): Steps {
  const differs = first.findIndex(({ characters, repeats }, at) =>
    others.some(steps => steps[at]?.characters !== characters || steps[at]?.repeats !== repeats),
  );
  return differs < 0 ? first : first.slice(0, differs);
}
