import { assemble } from '../assemble.ts';
import { SYSTEM_CLOCK } from '../clock.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import type { RunRecord } from '../history/run-record.ts';
import { RunProtocol } from '../publish/protocol.ts';
import { Workspace } from '../state/workspace.ts';
import { protocolParts } from './protocol-parts.ts';

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
  const assembly = await assemble(activation, { signal });
  const workspace = await Workspace.open(activation.dataDirectory, activation.name, {
    holder: 'the daemon, which finishes an earlier run',
  });
  try {
    await assembly.store.checkAccess();
    const parts = protocolParts({ activation, assembly, workspace, clock: SYSTEM_CLOCK });
    const { recovered } = await RunProtocol.open(parts);
    return recovered;
  } finally {
    await workspace.close();
  }
}
