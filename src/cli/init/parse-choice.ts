import type { Relation } from './catalogue.ts';

/** The relations that were chosen, or what is wrong with the choice. */
export function parseChoice<R extends Pick<Relation, 'schema' | 'name'>>(
  typed: string,
  relations: readonly R[],
): readonly R[] | string {
  if (typed.toLowerCase() === 'all') return relations;
  const chosen: R[] = [];
  for (const word of typed.split(/[\s,]+/).filter(word => word !== '')) {
    const fitting = /^\d+$/.test(word)
      ? relations.slice(Number(word) - 1, Number(word))
      : relations.filter(({ schema, name }) => word === `${schema}.${name}` || word === name);
    const [relation, another] = fitting;
    if (relation === undefined) return `There is no ${word} in the list.`;
    if (another !== undefined) return `There are several of that name: ${word}. Give the schema before it.`;
    if (!chosen.includes(relation)) chosen.push(relation);
  }
  return chosen.length > 0 ? chosen : 'Nothing is chosen.';
}
