import type { LoadedConfig } from '../config/load.ts';
import { Redactor } from '../config/secrets.ts';
import { SluiceError } from '../errors.ts';
import { sluiceVersion } from '../run/version.ts';
import { type HttpServer, startHttpServer } from './api/http-server.ts';
import { takeDataPlace } from './claimed-directory.ts';
import { Daemon } from './daemon.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { createLog, type LogOptions } from './log/log.ts';
import { Metrics } from './metrics.ts';
import { OpeningOperations } from './opening-operations.ts';
import type { Operations } from './operations.ts';
import type { Log } from './parts.ts';
import { Schedules } from './schedule/schedules.ts';
import type { ActivationWarnings } from './warnings/activation-warnings.ts';
import { createWarnings } from './warnings/create-warnings.ts';

export interface ServeOptions {
  /** Reads the configuration; at the start and at each reload. */
  readonly load: () => LoadedConfig;
  /** In the place of those of the configuration. */
  readonly host?: string;
  readonly port?: number;
  readonly log: Omit<LogOptions, 'redactor'>;
  /** Ends the start as soon as that is safe; a daemon that serves is ended by `stop`. */
  readonly signal?: AbortSignal;
}

/** A daemon that serves. */
export interface ServingDaemon {
  /** Where the HTTP API listens. */
  readonly url: string;
  readonly operations: Operations;
  readonly log: Log;
  /**
   * Reads the configuration again; one that is bad is refused, which the log tells. Never
   * rejects.
   */
  reload(): Promise<void>;
  /** See `Daemon.stop`. Calling it again does nothing more. */
  stop(options?: { readonly gracePeriodMs?: number }): Promise<void>;
}

/**
 * The daemon with everything that belongs to it: HTTP API, schedules, warnings with their
 * notifications, log and metrics. It listens before it reads what the last daemon left:
 * `/healthz` answers at once, and who asks for anything else is told to come again.
 * Resolves when it serves.
 *
 * Rejects with CONFIG_INVALID, STATE_LOCKED, STATE_DAMAGED or LISTEN_FAILED, and with
 * SHUTTING_DOWN when `signal` aborts, and has then begun no run.
 */
export async function serveDaemon(
  options: ServeOptions & Pick<DaemonOptions, 'clock' | 'program'>,
): Promise<ServingDaemon> {
  const { signal, clock } = options;
  const version = sluiceVersion();
  // Secrets of an earlier configuration stay known: runs that are under way may still
  // tell them.
  const redactor = new Redactor();
  const load = (): LoadedConfig => {
    const loaded = options.load();
    redactor.addAll(loaded.redactor);
    return loaded;
  };
  const log = createLog({ ...options.log, redactor });
  let warnings: ActivationWarnings | undefined;
  let http: HttpServer | undefined;
  let daemon: Daemon | undefined;
  const place = await takeDataPlace(load, clock);
  const opening = new OpeningOperations({ version, startedAt: place.clock.now().toISOString() });
  const metrics = new Metrics({
    version,
    status: async () => ({
      health: (daemon ?? opening).health(),
      activations: await (daemon ?? opening).activations(),
      notifications: warnings?.notificationCounts ?? { waiting: 0, lost: 0 },
    }),
  });
  const daemonOptions: DaemonOptions = {
    load,
    version,
    log,
    ...(clock && { clock }),
    ...(options.program && { program: options.program }),
    createWarnings: ({ configuration, ...parts }) => {
      warnings = createWarnings({
        ...parts,
        version,
        activations: () => configuration.activations,
        smtp: () => configuration.daemon.smtp,
        publicUrl: () => configuration.daemon.publicUrl,
        clean: text => redactor.clean(text),
        observe: (outcome, kind) => metrics.notificationTried(outcome, kind),
      });
      return warnings;
    },
    createScheduler: ({ documents, clock }, target) => new Schedules({ target, documents, clock, log }),
    observer: {
      attemptFailed: ({ activation, error }) => error && metrics.runRetried(activation, error.category),
      runEnded: record => metrics.runEnded(record),
      runProgressed: ({ activation }, progress) => metrics.runProgressed(activation, progress),
      configured: ({ activations, daemon: config, notes }) => {
        for (const { code, message, hint } of notes) log.warn({ code }, `${message}; ${hint}`);
        metrics.setActivations(activations.map(({ name }) => name));
        http?.use(config);
      },
    },
  };
  const stopEarly = (): void => {
    if (daemon) void daemon.stop();
    else log.info({}, 'told to stop; the start ends as soon as it can');
  };
  try {
    const { host, port } = options;
    const { configuration, writeProblems } = place;
    const config = configuration.daemon;
    signal?.throwIfAborted();
    signal?.addEventListener('abort', stopEarly);
    http = await startHttpServer({
      operations: opening,
      metrics,
      log,
      config: { ...config, ...(host !== undefined && { host }), ...(port !== undefined && { port }) },
      dataDirectory: configuration.dataDirectory,
      redactor,
      watch: writeProblems,
    });
    log.info({ url: http.url }, `listening on ${http.url}`);
    daemon = await Daemon.open(daemonOptions, place, signal);
    http.answerFrom(daemon);
    await daemon.begin();
  } catch (error) {
    await http?.close();
    if (daemon) await daemon.stop({ gracePeriodMs: 0 });
    else await place.close();
    if (!signal?.aborted || error !== signal.reason) throw error;
    log.info({}, 'stopped while starting');
    throw new SluiceError('SHUTTING_DOWN', 'the daemon was told to stop while it was starting');
  } finally {
    signal?.removeEventListener('abort', stopEarly);
  }

  const serving = daemon;
  const { url, close } = http;
  return {
    url,
    operations: serving,
    log,
    reload: async () => {
      await serving
        .reload()
        .catch(error => log.error({ error }, 'the configuration was refused; the old one stays'));
    },
    stop: async stopOptions => {
      // Who waits for a run is answered first; the daemon's state can be asked for to the
      // end.
      await serving.stop(stopOptions);
      await close();
    },
  };
}
