import { PLANS_FOLDER } from '../plan-name.ts';
import { literal, type NamePatterns, patternsFrom, type Step } from './blob-name-patterns.ts';

/** What nobody knows before, but that it is not a folder. */
const ANY: Step = {
  characters: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.',
  repeats: true,
  isAny: true,
};

/** Blobs of plans below the prefix of `state`. */
export function planPatterns(prefix: string): NamePatterns {
  const stem = literal(`${prefix}${PLANS_FOLDER}`);
  const plan = [...stem, ANY, ...literal('.json')];
  return patternsFrom(stem, [plan, [...plan, ...literal('.slices/'), ANY]]);
}
