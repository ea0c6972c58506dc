import type { ProtocolParts } from '../../src/publish/protocol.ts';

export type Moment = 'before' | 'after';

/**
 * Is called around every step; what it throws the step throws, and it may never return.
 */
export type StepHook = (step: string, moment: Moment) => void | Promise<void>;

/**
 * Gives every step that the protocol takes a name that is the same in every run of the
 * same kind, and calls the hook before and after it: `journal.write commit.json #1`,
 * `store.commitBlocks #2`.
 */
export function interceptSteps(
  { store, journal, baseline, ...rest }: ProtocolParts,
  hook: StepHook,
): ProtocolParts {
  const taken = new Map<string, number>();
  const step = async <T>(method: string, act: () => Promise<T>): Promise<T> => {
    const number = (taken.get(method) ?? 0) + 1;
    taken.set(method, number);
    const name = `${method} #${number}`;
    await hook(name, 'before');
    const result = await act();
    await hook(name, 'after');
    return result;
  };
  return {
    ...rest,
    journal: {
      list: () => step('journal.list', () => journal.list()),
      create: run => step('journal.create', () => journal.create(run)),
      write: (run, document, content) =>
        step(`journal.write ${document}`, () => journal.write(run, document, content)),
      read: (run, document) => step(`journal.read ${document}`, () => journal.read(run, document)),
      path: (run, file) => journal.path(run, file),
      remove: run => step('journal.remove', () => journal.remove(run)),
    },
    store: {
      stageBlock: (...args) => step('store.stageBlock', () => store.stageBlock(...args)),
      commitBlocks: (...args) => step('store.commitBlocks', () => store.commitBlocks(...args)),
      putBlob: (...args) => step('store.putBlob', () => store.putBlob(...args)),
      head: blob => step('store.head', () => store.head(blob)),
      getBlob: blob => step('store.getBlob', () => store.getBlob(blob)),
      deleteBlob: (...args) => step('store.deleteBlob', () => store.deleteBlob(...args)),
    },
    baseline: {
      get state() {
        return baseline.state;
      },
      apply: (...args) => step('baseline.apply', () => baseline.apply(...args)),
      compact: () => step('baseline.compact', () => baseline.compact()),
    },
  };
}
