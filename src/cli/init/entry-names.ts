import { NAME_PATTERN } from '../../config/schema/values.ts';
import type { Relation } from './catalogue.ts';

/** Leaves room for what stands behind it. */
const MAX_CHARACTERS = 80;

/**
 * A name for the model of each, that no other has: with the schema where it takes that.
 */
export function entryNames(relations: readonly Pick<Relation, 'schema' | 'name'>[]): string[] {
  const taken = new Set<string>();
  return relations.map(({ schema, name }, index) => {
    const plain = entryName(name, index);
    const candidates = [plain, entryName(`${schema}_${name}`, index), `${plain}_${index + 1}`];
    const free = candidates.find(candidate => !taken.has(candidate)) ?? `model_${index + 1}`;
    taken.add(free);
    return free;
  });
}

function entryName(text: string, index: number): string {
  const name = text
    .replace(/[^A-Za-z0-9_-]+/g, '_')
    .replace(/^[_-]+/, '')
    .slice(0, MAX_CHARACTERS);
  return NAME_PATTERN.test(name) ? name : `model_${index + 1}`;
}
