import type { LoadedConfig } from '../config/load.ts';
import { Redactor } from '../config/secrets.ts';
import { sluiceVersion } from '../run/version.ts';
import { type HttpServer, startHttpServer } from './api/http-server.ts';
import { Daemon, type DaemonOptions } from './daemon.ts';
import { createLog, type LogOptions } from './log.ts';
import { Metrics } from './metrics.ts';
import type { Operations } from './operations.ts';
import type { Log } from './parts.ts';
import { CronScheduler } from './schedule/cron-scheduler.ts';
import type { ActivationWarnings } from './warnings/activation-warnings.ts';
import { createWarnings } from './warnings/create-warnings.ts';

export interface ServeOptions extends Pick<DaemonOptions, 'clock' | 'program'> {
  /** Reads the configuration; at the start and at each reload. */
  readonly load: () => LoadedConfig;
  /** In the place of those of the configuration. */
  readonly host?: string;
  readonly port?: number;
  readonly log: Omit<LogOptions, 'redactor'>;
}

/** A daemon that serves. */
export interface ServingDaemon {
  /** Where the HTTP API listens. */
  readonly url: string;
  readonly operations: Operations;
  readonly log: Log;
  /** Reads the configuration again; one that is bad is refused, which the log tells. Never rejects. */
  reload(): Promise<void>;
  /** See `Daemon.stop`. Calling it again does nothing more. */
  stop(options?: { readonly gracePeriodMs?: number }): Promise<void>;
}

/**
 * The daemon with everything that belongs to it: HTTP API, schedules, warnings with their notifications, log and metrics.
 * Rejects with CONFIG_INVALID, STATE_LOCKED, STATE_DAMAGED or LISTEN_FAILED, and has then begun no run.
 */
export async function serveDaemon(options: ServeOptions): Promise<ServingDaemon> {
  const version = sluiceVersion();
  // Secrets of an earlier configuration stay known: runs that are under way may still tell them.
  const redactor = new Redactor();
  const load = (): LoadedConfig => {
    const loaded = options.load();
    redactor.addAll(loaded.redactor);
    return loaded;
  };
  const log = createLog({ ...options.log, redactor });
  let warnings: ActivationWarnings | undefined;
  let http: HttpServer | undefined;
  const metrics = new Metrics({
    version,
    status: async () => ({
      health: daemon.health(),
      activations: await daemon.activations(),
      notifications: warnings?.notificationCounts ?? { waiting: 0, lost: 0 },
    }),
  });
  const daemon = await Daemon.open({
    load,
    version,
    log,
    ...(options.clock && { clock: options.clock }),
    ...(options.program && { program: options.program }),
    createWarnings: ({ configuration, ...parts }) => {
      warnings = createWarnings({
        ...parts,
        version,
        activations: () => configuration.activations,
        smtp: () => configuration.daemon.smtp,
        clean: text => redactor.clean(text),
        observe: (outcome, kind) => metrics.notificationTried(outcome, kind),
      });
      return warnings;
    },
    createScheduler: ({ documents, clock }, target) => new CronScheduler({ target, documents, clock, log }),
    observer: {
      attemptFailed: ({ activation, error }) => error && metrics.runRetried(activation, error.category),
      runEnded: record => metrics.runEnded(record),
      configured: ({ activations, daemon: config }) => {
        metrics.setActivations(activations.map(({ name }) => name));
        http?.use(config);
      },
    },
  });
  try {
    const { host, port } = options;
    const config = daemon.configuration.daemon;
    http = await startHttpServer({
      operations: daemon,
      metrics,
      log,
      config: { ...config, ...(host !== undefined && { host }), ...(port !== undefined && { port }) },
      dataDirectory: daemon.configuration.dataDirectory,
      redactor,
      watch: daemon.writeProblems,
    });
    log.info({ url: http.url }, `listening on ${http.url}`);
    await daemon.begin();
  } catch (error) {
    await http?.close();
    await daemon.stop({ gracePeriodMs: 0 });
    throw error;
  }

  const { url, close } = http;
  return {
    url,
    operations: daemon,
    log,
    reload: async () => {
      await daemon
        .reload()
        .catch(error => log.error({ error }, 'the configuration was refused; the old one stays'));
    },
    stop: async stopOptions => {
      // Who waits for a run is answered first; the daemon's state can be asked for to the end.
      await daemon.stop(stopOptions);
      await close();
    },
  };
}
