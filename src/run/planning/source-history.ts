import type { SourcePosition } from '../../sources/source.ts';

/** What has become of a source since its baseline was made. */
export type SourceMove = {
  /**
   * `moved`: changes of the baseline may be missing from it. `failedOver`: they are
   * there, as far as can be told.
   */
  readonly what: 'moved' | 'failedOver';
  readonly message: string;
};

/**
 * Holds the place where the source stands against the one that the baseline was read at.
 * A part that either of them lacks says nothing. `undefined`: the source has gone on from
 * there.
 */
export function compareHistory(
  before: SourcePosition | undefined,
  now: SourcePosition | undefined,
): SourceMove | undefined {
  if (before === undefined || now === undefined) return undefined;
  const moved = (message: string): SourceMove => ({ what: 'moved', message });
  if (before.system !== undefined && now.system !== undefined && before.system !== now.system)
    return moved(
      `the source is not the one of the baseline: its system identifier is ${now.system}, and was ${before.system}`,
    );
  if (isBehind(now, before))
    return moved(
      `the source stands at ${now.position}, behind the baseline, which was read at ${before.position}`,
    );
  if (before.timeline === undefined || now.timeline === undefined || before.timeline === now.timeline)
    return undefined;
  const timelines = `timeline ${now.timeline}, and the baseline was read on timeline ${before.timeline}`;
  if (now.timeline > before.timeline)
    return { what: 'failedOver', message: `the source is on ${timelines}: a standby has taken over` };
  // What a standby shows may be late.
  return now.standby
    ? undefined
    : moved(`the source is on ${timelines}: it is from before a standby took over`);
}

/** What the next run is to compare with. */
export function positionToKeep(
  before: SourcePosition | undefined,
  now: SourcePosition | undefined,
): SourcePosition | undefined {
  if (now?.standby !== true || now.timeline === undefined || before?.system !== now.system) return now;
  return { ...now, timeline: Math.max(now.timeline, before?.timeline ?? 0) };
}

function isBehind({ position }: SourcePosition, { position: before }: SourcePosition): boolean {
  return position !== undefined && before !== undefined && offsetOf(position) < offsetOf(before);
}

/** `16/B374D848` is one number of 64 bits. */
function offsetOf(position: string): bigint {
  const [high = '', low = ''] = position.split('/');
  return (BigInt(`0x${high || '0'}`) << 32n) | BigInt(`0x${low || '0'}`);
}
