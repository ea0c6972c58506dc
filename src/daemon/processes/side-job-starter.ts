import type { DaemonClock } from '../../clock.ts';
import { runMemoryBytes } from '../../config/machine-memory.ts';
import type { Configuration } from '../configuration.ts';
import type { Log } from '../parts.ts';
import type { Job } from './run-messages.ts';
import { RunProcess, type RunProgram } from './run-process.ts';

export interface SideJobStarterOptions {
  readonly configuration: Configuration;
  readonly program: RunProgram;
  readonly clock: DaemonClock;
  readonly log: Log;
}

/** Starts processes of jobs beside the runs, by the configuration as it then is. */
export function sideJobStarter({
  configuration,
  ...options
}: SideJobStarterOptions): (job: Job) => RunProcess {
  return job => {
    const { daemon } = configuration;
    return new RunProcess({
      ...options,
      job,
      snapshot: configuration.snapshotOf(job.activation),
      memoryBytes: runMemoryBytes(daemon),
      heartbeatTimeoutMs: daemon.runHeartbeatTimeout,
    });
  };
}
