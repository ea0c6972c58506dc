import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import test from 'node:test';
import type { ProtocolParts } from '../../src/publish/protocol.ts';
import { Random } from '../simulation/random.ts';
import { BlobFaults, isCommit } from './blob-faults.ts';
import { type CheckedExport, type Settings, withCheckedExport } from './checked-export.ts';

/**
 * What the oracle is good for: protocols with a fault of their own, each of which it must
 * find.
 */

const SETTINGS = { runType: 'full_then_delta', syncMode: 'upsert' };

test('a baseline that is applied before anything is published loses changes, and the next run is not allowed to go on', () =>
  withChanged(SETTINGS, async subject => {
    const { record } = await subject.run({
      intercept: parts => {
        const { journal, baseline } = parts;
        return {
          ...parts,
          journal: {
            list: () => journal.list(),
            create: run => journal.create(run),
            read: (run, document) => journal.read(run, document),
            path: (run, file) => journal.path(run, file),
            remove: run => journal.remove(run),
            write: async (run, document, content) => {
              await journal.write(run, document, content);
              if (document !== 'commit.json') return;
              const { next, replace } = (content as { baseline: Applied }).baseline;
              await baseline.apply(journal.path(run, 'delta.log'), next, { replace });
              throw new Error('the process dies here');
            },
          },
        };
      },
    });
    assert.equal(record.state, 'failed');
    // The baseline has a generation that the destination lacks.
    const { record: next } = await subject.run();
    assert.equal(next.error?.code, 'DESTINATION_RESET');
  }));

test('a manifest whose precondition is dropped takes effect when it arrives late, and the oracle sees it', () =>
  withChanged(SETTINGS, async subject => {
    const faults = new BlobFaults(subject.rulesOrigin);
    let seen = 0;
    subject.blobs.setHook(request => {
      if (!isCommit(request) || !request.blob?.endsWith('latest.json')) return undefined;
      delete (request.headers as Record<string, unknown>)['if-match'];
      return ++seen === 1 ? lateAndNow(faults, request) : undefined;
    });
    await subject.succeed();
    await subject.source.change(new Random(9));
    await subject.succeed();
    await faults.deliverDelayed();
    await assert.rejects(subject.oracle.checkVisible(), /latest.json went back/);
  }));

test('a late commit of a fixed name is refused even without its precondition: its blocks are gone', () =>
  withChanged({ fileName: 'fixed' }, async subject => {
    const faults = new BlobFaults(subject.rulesOrigin);
    let seen = 0;
    subject.blobs.setHook(request => {
      if (!isCommit(request) || request.comp !== 'blocklist') return undefined;
      delete (request.headers as Record<string, unknown>)['if-match'];
      return ++seen === 1 ? lateAndNow(faults, request) : undefined;
    });
    await subject.succeed();
    await subject.source.change(new Random(9));
    await subject.succeed();
    const before = await subject.container.download('fixed.csv');
    await faults.deliverDelayed();
    assert.deepEqual(await subject.container.download('fixed.csv'), before);
  }));

test('a manifest that is written before the files are there is seen', () =>
  withChanged(SETTINGS, async subject => {
    await subject.run({
      intercept: parts => ({
        ...parts,
        store: { ...bound(parts), commitBlocks: async () => ({ outcome: 'written', etag: '"none"' }) },
      }),
    });
    await assert.rejects(subject.oracle.checkVisible(), /cannot be read/);
  }));

test('a run whose journal is forgotten after its decision leaves files that nobody published, and the oracle sees it', () =>
  withChanged(SETTINGS, async subject => {
    const { record } = await subject.run({
      onStep: (step, moment) => {
        if (step === 'store.putBlob #1' && moment === 'before') throw new Error('the process dies here');
      },
    });
    rmSync(`${subject.oracle.folder}/runs/${record.run}`, { recursive: true });
    await assert.rejects(subject.oracle.checkVisible(), /neither decided nor published/);
  }));

type Applied = { next: Parameters<ProtocolParts['baseline']['apply']>[1]; replace: boolean };

async function withChanged(
  settings: Settings,
  act: (subject: CheckedExport) => Promise<void>,
): Promise<void> {
  await withCheckedExport({ settings }, async subject => {
    await subject.succeed();
    await subject.source.change(new Random(8));
    await act(subject);
  });
}

/** The request is sent on, and kept to be sent once more later. */
async function lateAndNow(faults: BlobFaults, request: Parameters<BlobFaults['put']>[1]): Promise<undefined> {
  await faults.put('delayed commit', request);
}

function bound({ store }: ProtocolParts): ProtocolParts['store'] {
  return {
    stageBlock: (...args) => store.stageBlock(...args),
    commitBlocks: (...args) => store.commitBlocks(...args),
    putBlob: (...args) => store.putBlob(...args),
    head: blob => store.head(blob),
    getBlob: blob => store.getBlob(blob),
    deleteBlob: (...args) => store.deleteBlob(...args),
  };
}
