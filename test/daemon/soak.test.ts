import test from 'node:test';
import { soak } from './soak.ts';

/** The short form of `npm run soak`: the history is full after 20 runs. */
test('memory, open files and disk of the daemon stay flat over many runs', t =>
  soak({ runs: 60, activations: 4, say: text => t.diagnostic(text) }));
