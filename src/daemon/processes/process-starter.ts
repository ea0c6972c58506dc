import { runMemoryBytes } from '../../config/machine-memory.ts';
import type { Configuration } from '../configuration.ts';
import type { Job } from './run-messages.ts';
import { RunProcess, type RunProcessOptions } from './run-process.ts';

/** Throws where the configuration has no such activation any more. */
export type StartProcess = (
  job: Job,
  more?: Partial<Pick<RunProcessOptions, 'snapshot' | 'onProgress'>>,
) => RunProcess;

export interface ProcessStarterOptions extends Pick<RunProcessOptions, 'program' | 'clock' | 'log'> {
  readonly configuration: Configuration;
}

/** Starts the processes of jobs, by the configuration as it then is. */
export function processStarter({ configuration, ...options }: ProcessStarterOptions): StartProcess {
  return (job, { snapshot = configuration.snapshotOf(job.activation), ...more } = {}) => {
    const { daemon } = configuration;
    return new RunProcess({
      ...options,
      ...more,
      job,
      snapshot,
      memoryBytes: runMemoryBytes(daemon),
      heartbeatTimeoutMs: daemon.runHeartbeatTimeout,
    });
  };
}
