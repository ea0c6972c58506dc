import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../src/errors.ts';
import type { Decision } from '../../src/publish/decision.ts';
import type { DocumentName, Journal } from '../../src/publish/journal.ts';
import type { Manifest } from '../../src/publish/manifest.ts';
import type { ProtocolParts } from '../../src/publish/protocol.ts';
import type { BlobStore, CommitOptions, Precondition, WriteOutcome } from '../../src/sinks/sink.ts';
import { type SimulationOptions, simulate, type VirtualParts } from './simulation.ts';

/**
 * The oracle is worth something only if it catches a protocol that is wrong. Each of
 * these makes it wrong, by what is put between the protocol and one of its parts.
 */

const MAX_SEEDS = 20_000;

Error.stackTraceLimit = 0;

/** The first seed that shows the mutation, and what the oracle says of it. */
async function firstViolation(
  mutate: SimulationOptions['mutate'],
  options: SimulationOptions = {},
): Promise<{ seed: number; violation: string }> {
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const { violation } = await simulate(seed, { ...options, mutate });
    if (violation !== undefined) return { seed, violation };
  }
  throw assert.fail(`no seed up to ${MAX_SEEDS} shows it`);
}

function assertMeant({ violation }: { violation: string }, meant: RegExp): void {
  assert.match(violation, meant);
}

test('catches a decision that is acted on before it is durable', async t => {
  const found = await firstViolation(({ journal, disk }) => ({
    journal: journalWith(journal, async (run, document, content) => {
      if (document !== 'commit.json') return journal.write(run, document, content);
      disk.write(run, document, content);
    }),
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /not stale|never decided|nobody ever|is twice|again|went from|delta/);
});

test('catches a baseline that is brought forward before the run is published', async t => {
  const found = await firstViolation(parts => {
    const { baseline, journal } = parts;
    let decision: Decision | undefined;
    return {
      journal: journalWith(journal, async (run, document, content) => {
        await journal.write(run, document, content);
        if (document === 'commit.json') decision = content as Decision;
      }),
      store: storeWith(parts, async (_, write) => {
        if (decision?.baseline) {
          const { next, replace } = decision.baseline;
          await baseline.apply(journal.path(next.run, 'delta.log'), next, { replace });
        }
        return write();
      }),
    };
  });
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /which is not published|never was called complete/);
});

test('catches a commit that is repeated blindly, under a condition made up for the occasion', async t => {
  const found = await firstViolation(parts => ({
    store: storeWith(parts, async (blob, write, { condition }) => {
      const first = await write(condition);
      if (first.outcome !== 'unknown') return first;
      const there = await parts.store.head(blob);
      return write(there === undefined ? { ifAbsent: true } : { ifMatch: there.etag });
    }),
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /went from|went back|had not seen it|is not there/);
});

test('catches writes without a precondition', async t => {
  const found = await firstViolation(parts => ({
    store: storeWith(parts, async (blob, write) => write(unconditional(parts, blob))),
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /went from|went back|had not seen it|is not there|nothing is before it/);
});

test('catches a run without manifests that forgets that its files were in place', async t => {
  const found = await firstViolation(({ journal }) => ({
    journal: {
      ...journalWith(journal, (run, document, content) => journal.write(run, document, content)),
      read: async (run, document) =>
        document === 'published.json' ? undefined : journal.read(run, document),
    },
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /is dropped|went from|delta|never decided|called failed/);
});

test('catches a run that is withdrawn for a refusal, though some of it is visible', async t => {
  const found = await firstViolation(parts => {
    let isRefused = false;
    const { commitBlocks, ...store } = storeWith(parts, async (_, write) => write());
    return {
      store: {
        ...store,
        commitBlocks: async (...args) => {
          try {
            return await commitBlocks(...args);
          } catch (error) {
            isRefused ||= error instanceof SluiceError && !error.retryable;
            throw error;
          }
        },
        head: async blob => (isRefused ? undefined : store.head(blob)),
      },
    };
  });
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /is withdrawn, and .* of it is visible/);
});

test('catches a decided run that is tried again with the properties that were refused', async t => {
  const found = await firstViolation(({ disk }) => ({
    configured: disk.folders.size > 0 ? { tags: { team: 'crm' } } : {},
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /lacks no right|does not succeed/);
});

test('catches a completion file that stands while files are published', async t => {
  const mutate: SimulationOptions['mutate'] = ({ journal }) => ({
    journal: decidingOtherwise(journal, ({ completion }) => ({
      completion: completion && { ...completion, standing: [] },
    })),
  });
  const found = await firstViolation(mutate, { completes: true });
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /publishes a file, and .* stands/);
});

test('catches a completion file that is written before the last file', async t => {
  const mutate: SimulationOptions['mutate'] = parts => ({
    store: storeWith(parts, async (blob, write, { properties }) => {
      const { run } = properties.metadata ?? {};
      if (blob.endsWith('.csv') && run !== undefined) {
        const options = { condition: { ifAbsent: true }, properties: { metadata: { run } } } as const;
        await parts.store.putBlob('crm/_SUCCESS-a', Buffer.alloc(0), options);
      }
      return write();
    }),
  });
  const found = await firstViolation(mutate, { completes: true });
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /says that .* is complete, without/);
});

test('catches a run that leaves its completion file out', async t => {
  const found = await firstViolation(() => ({ completes: false }), { completes: true });
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /never was called complete/);
});

test('catches a run that takes published parts for stale', async t => {
  const found = await firstViolation(({ journal, container }) => ({
    journal: decidingOtherwise(journal, decision => {
      const written = new Set(decision.files.map(({ name }) => name));
      const others = [...container.blobs.values()].filter(
        ({ name, by }) => by === 'sluice' && name.endsWith('.csv') && !written.has(name),
      );
      return { stale: others.map(({ name, etag }) => ({ name, etag, series: name })) };
    }),
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /was published in .*, and is destroyed|was deleted/);
});

test('catches a full run that deletes what it has just published', async t => {
  const found = await firstViolation(parts => ({
    store: storeWith(parts, async (blob, write) => {
      const outcome = await write();
      if (outcome.outcome !== 'written' || !blob.endsWith('/latest.json')) return outcome;
      const { bytes } = parts.container.versions.get(outcome.etag)!;
      const { full, files } = JSON.parse(bytes.toString()) as Manifest;
      for (const { name, etag } of full ? files : []) await parts.store.deleteBlob(name, etag!);
      return outcome;
    }),
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /and is destroyed|is what a consumer should have/);
});

test('catches a run that forgets which parts consumers have taken away', async t => {
  const found = await firstViolation(({ journal }) => ({
    journal: decidingOtherwise(journal, ({ baseline }) => ({
      baseline: baseline && { ...baseline, next: { ...baseline.next, appended: [] } },
    })),
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /gives it to others/);
});

test('catches a run that replaces a delta without a word', async t => {
  const found = await firstViolation(({ journal }) => ({
    journal: decidingOtherwise(journal, ({ record }) => ({ record: { ...record, warnings: [] } })),
  }));
  t.diagnostic(`seed ${found.seed}: ${found.violation}`);
  assertMeant(found, /without a word/);
});

/** What is decided is something else than what the run has found. */
function decidingOtherwise(
  journal: Journal,
  change: (decision: Decision) => Partial<Decision>,
): ProtocolParts['journal'] {
  return journalWith(journal, (run, document, content) => {
    if (document !== 'commit.json') return journal.write(run, document, content);
    const decision = content as Decision;
    return journal.write(run, document, { ...decision, ...change(decision) });
  });
}

/** A condition that holds whatever is there when the request arrives. */
function unconditional({ container }: VirtualParts, blob: string): Precondition {
  return {
    get ifMatch() {
      return container.blobs.get(blob)?.etag as string;
    },
  };
}

function journalWith(journal: Journal, write: Journal['write']): Journal {
  return {
    list: () => journal.list(),
    create: run => journal.create(run),
    write: (run: string, document: DocumentName, content: unknown) => write(run, document, content),
    read: (run, document) => journal.read(run, document),
    path: (run, file) => journal.path(run, file),
    remove: run => journal.remove(run),
  };
}

type ConditionalWrite = (condition?: Precondition) => Promise<WriteOutcome>;

function storeWith(
  { store }: VirtualParts,
  write: (blob: string, write: ConditionalWrite, options: CommitOptions) => Promise<WriteOutcome>,
): BlobStore {
  return {
    stageBlock: (blob, blockId, bytes) => store.stageBlock(blob, blockId, bytes),
    commitBlocks: (blob, blockIds, options) =>
      write(
        blob,
        (condition = options.condition) => store.commitBlocks(blob, blockIds, { ...options, condition }),
        options,
      ),
    putBlob: (blob, bytes, options) =>
      write(
        blob,
        (condition = options.condition) => store.putBlob(blob, bytes, { ...options, condition }),
        options,
      ),
    head: blob => store.head(blob),
    getBlob: blob => store.getBlob(blob),
    deleteBlob: (blob, ifMatch) => store.deleteBlob(blob, ifMatch),
  };
}
