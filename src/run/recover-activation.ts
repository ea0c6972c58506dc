import { assemble } from '../assemble.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import type { RunRecord } from '../history/run-record.ts';
import { configuredProperties } from '../publish/configured-properties.ts';
import { recover } from '../publish/protocol.ts';
import { Workspace } from '../state/workspace.ts';
import { SYSTEM_CLOCK } from './system-clock.ts';

export interface RecoveryRequest {
  readonly activation: ResolvedActivation;
  readonly signal: AbortSignal;
}

/**
 * Finishes the runs that are decided and drops those that are not, as the next run would.
 * Returns the finished ones.
 */
export async function recoverActivation({
  activation,
  signal,
}: RecoveryRequest): Promise<readonly RunRecord[]> {
  const { store, target } = await assemble(activation, { signal });
  const workspace = await Workspace.open(activation.dataDirectory, activation.name, {
    holder: 'the daemon, which finishes an earlier run',
  });
  try {
    await store.checkAccess();
    const { journal, baseline } = workspace;
    const configured = configuredProperties(activation);
    const { manifest: manifests } = activation;
    const completes = activation.completion !== undefined;
    const parts = { store, journal, baseline, clock: SYSTEM_CLOCK, target, configured, manifests, completes };
    return await recover(parts, record => workspace.remember(record));
  } finally {
    await workspace.close();
  }
}
