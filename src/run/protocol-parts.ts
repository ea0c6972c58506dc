import type { Assembly } from '../assemble.ts';
import type { Clock } from '../clock.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { configuredProperties } from '../publish/configured-properties.ts';
import type { ProtocolParts } from '../publish/protocol.ts';
import type { OpenWorkspace } from '../state/workspace.ts';

export interface OpenedParts {
  readonly activation: ResolvedActivation;
  readonly assembly: Pick<Assembly, 'store' | 'target'>;
  readonly workspace: OpenWorkspace;
  readonly clock: Clock;
}

/** What the protocol of an activation speaks to. */
export function protocolParts({ activation, assembly, workspace, clock }: OpenedParts): ProtocolParts {
  const { store, target } = assembly;
  const { journal, baseline } = workspace;
  return {
    store,
    journal,
    baseline,
    set: activation.parameterSet?.name,
    withBaselineOf: (set, act) => workspace.withBaselineOf(set, act),
    history: workspace,
    clock,
    target,
    configured: configuredProperties(activation),
    manifests: activation.manifest,
    completes: activation.completion !== undefined,
  };
}
