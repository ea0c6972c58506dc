import type { Sections } from './entry.ts';
import { modelNameOf } from './entry.ts';
import type { Finding } from './rule.ts';
import { finding } from './rule.ts';

/**
 * What cannot be made by workers, which read slices that know nothing of each other. The
 * paths begin at the root.
 */
export function queueFindings(sections: Sections, hasState: boolean): Finding[] {
  const found: Finding[] = [];
  if (!hasState) {
    const message =
      'needs state that all hosts share, since dataDirectory is of one machine; expected `state: { destination: NAME }` beside it';
    found.push(finding(['queue'], message));
  }
  for (const { path, value, sound } of sections.activations.values()) {
    const refuse = (key: string, why: string): void => {
      found.push(
        finding(
          [...path, key],
          `${why}; leave out queue, or keep this activation in a configuration of its own`,
        ),
      );
    };
    if (sound.has('runType') && value.runType === 'full_then_delta')
      refuse(
        'runType',
        'is full_then_delta, and workers of a queue make full_only: a baseline is on one machine',
      );
    if (sound.has('partitionBy') && value.partitionBy !== undefined)
      refuse('partitionBy', 'groups the rows of the whole source, and workers of a queue read slices of it');
    const model = sections.models.get(modelNameOf(value, sections) ?? '');
    if (model?.sound.has('params') && model.value.params !== undefined)
      refuse(
        value.segment === undefined ? 'model' : 'segment',
        'has parameters, and workers of a queue make runs without',
      );
  }
  return found;
}
