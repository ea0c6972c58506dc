/**
 * Parts that the configuration knows but that are not built yet. Delete a line when its
 * part works.
 */

/** What decides whether a part is used. */
interface Choices {
  readonly parallel: number;
}

interface MissingPart {
  /** As the user wrote it: key and value. */
  readonly part: string;
  readonly usedBy: (choices: Choices) => boolean;
}

export const NOT_AVAILABLE: readonly MissingPart[] = [
  { part: 'parallel above 1', usedBy: ({ parallel }) => parallel > 1 },
];

/** Names of the parts that an activation uses and that are not built yet. */
export function unavailableParts(choices: Choices): string[] {
  return NOT_AVAILABLE.filter(({ usedBy }) => usedBy(choices)).map(({ part }) => part);
}
