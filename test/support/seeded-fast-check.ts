/**
 * What test files get for `fast-check` when they are compiled: it begins with the seed of
 * the tests.
 */
import fc from 'fast-check';
import { TEST_SEED } from './test-seed.ts';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: TEST_SEED });

export * from 'fast-check';
export default fc;
