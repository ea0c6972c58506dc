import { assemble } from '../../assemble.ts';
import { SYSTEM_CLOCK } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import { newRecord } from '../../history/new-record.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { existsError } from '../../publish/decide-files.ts';
import { lookBeforeStaging } from '../../publish/look-before.ts';
import { RunProtocol } from '../../publish/protocol.ts';
import { refuseBeforeReading } from '../../publish/replaced-files.ts';
import { atOnce } from '../../sinks/at-once.ts';
import { blockIds } from '../../sinks/block-ids.ts';
import { DEFAULT_BLOCK_BYTES, MAX_BLOCK_BYTES } from '../../sinks/roll-policy.ts';
import { asHolder, Workspace } from '../../state/workspace.ts';
import { closingOnAbort } from '../close-on-abort.ts';
import { Held } from '../held.ts';
import { planRun } from '../planning/plan-run.ts';
import { protocolParts } from '../protocol-parts.ts';
import type { PlanFiles } from './plan-files.ts';
import { type PlannedSlices, planSlices, refuseUnfit } from './plan-slices.ts';
import { BEGIN_AGAIN, blocksOfSlice, configurationOf, type SlicedPlan, writesParts } from './sliced-plan.ts';

export interface BeginRequest {
  readonly activation: ResolvedActivation;
  readonly files: PlanFiles;
  /** About how many slices; as many as suit the table without it. */
  readonly wanted?: number | undefined;
  /** The run as whoever keeps it knows it. */
  readonly record?: RunRecord;
  readonly signal: AbortSignal;
}

/** Its blocks are told from those of later attempts; the file never has it. */
const FIRST_BLOCK = { fileIndex: 0, attempt: 99 };

/**
 * The first verb: looks at both sides as a run does before it reads, and writes down what
 * the others need. Where there is a plan it stays, and is the result.
 */
export async function beginRun(request: BeginRequest): Promise<SlicedPlan> {
  const { activation, files, wanted, signal } = request;
  refuseUnfit(activation);
  const earlier = await files.findPlan();
  if (earlier !== undefined) return checkedPlan(earlier, activation);
  const { record = newRecord(activation, { trigger: 'command', instant: SYSTEM_CLOCK.now() }) } = request;
  const assembly = await assemble(activation, { signal });
  const { store, source, createEncoder } = assembly;
  const workspace = await Workspace.open(activation.dataDirectory, activation.name, {
    holder: asHolder(record),
  });
  try {
    await store.checkAccess();
    const parts = protocolParts({ activation, assembly, workspace, clock: SYSTEM_CLOCK });
    const protocol = await RunProtocol.open(parts);
    const latest = await protocol.latest(activation);
    const serviceTime = store.serviceTime(SYSTEM_CLOCK.now());
    const asked = { activation, record, fullAsked: false, source, store, workspace, latest, signal };
    const prepared = await planRun({ ...asked, serviceTime });
    if (prepared instanceof Held) throw new TypeError('a run without a baseline is never held');
    const { plan, mapping, files: runFiles, description } = prepared;
    const names = runFiles.firstNames;
    const heads = await atOnce(names, name => store.head(name));
    const taken = names.find((_, index) => heads[index] !== undefined);
    if (activation.ifExists === 'fail' && taken !== undefined) throw existsError(taken);
    await lookBeforeStaging(store, names);
    const { run } = record;
    const { full, previousGeneration } = plan;
    await refuseBeforeReading(store, names, { activation, run, full, previousGeneration });
    const planned = await closingOnAbort(source, signal, () =>
      planSlices(activation, { source, mapping, createEncoder, wanted }),
    );
    // What other tools have left behind on the name goes with it, before slices come.
    if (planned.slices) {
      const id = blockIds({ runId: run, ...FIRST_BLOCK })(0);
      const { encryptionScope } = activation.blob;
      await store.stageBlock(names[0]!, id, Buffer.of(0), { ...(encryptionScope && { encryptionScope }) });
    }
    const { columns, dialect, primaryKey } = description;
    return await files.begin({
      version: 1,
      run,
      activation: activation.name,
      startedAt: record.startedAt,
      configuration: configurationOf(activation),
      description: { columns, dialect, ...(primaryKey && { primaryKey }) },
      ...(activation.manifest && { previousGeneration }),
      found: names.map((name, index) => ({ name, ...(heads[index] && { etag: heads[index].etag }) })),
      slices: planned.slices ?? [{}],
      ...(planned.slices ? sizesOf(planned, activation) : { reason: planned.reason }),
    });
  } finally {
    await source.close();
    await workspace.close();
  }
}

/** Rows may take more bytes in a file than they do in the table, and slices differ. */
const MOST_OF_SLICE = 3;

function sizesOf(
  { slices, sliceBytes }: Extract<PlannedSlices, { sliceBytes: number }>,
  activation: ResolvedActivation,
): Pick<SlicedPlan, 'sliceBytes' | 'blockBytes'> {
  if (writesParts(activation)) return { sliceBytes };
  const needed = Math.ceil((MOST_OF_SLICE * sliceBytes) / blocksOfSlice(slices.length));
  const isUsual = activation.blockBytes !== undefined || needed <= DEFAULT_BLOCK_BYTES;
  return { sliceBytes, ...(!isUsual && { blockBytes: Math.min(needed, MAX_BLOCK_BYTES) }) };
}

function checkedPlan(plan: SlicedPlan, activation: ResolvedActivation): SlicedPlan {
  if (plan.activation === activation.name && plan.configuration === configurationOf(activation)) return plan;
  const message = `the plan that is there is of ${plan.activation}, run ${plan.run}, with other settings`;
  throw new SluiceError('USAGE', message, { hint: BEGIN_AGAIN });
}
