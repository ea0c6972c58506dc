import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { ERROR_CATEGORIES, type ErrorCategory } from '../errors.ts';
import type { RunRecord } from '../history/run-record.ts';
import { ENDED_STATES, isSuccess } from '../history/run-state.ts';
import type { RunProgress } from '../run/export-run.ts';
import type { DeliveryOutcome } from './notify/outbox.ts';
import type { ActivationStatus, Health } from './operations.ts';

/** What the daemon says of itself at the moment that metrics are asked for. */
export interface MetricsStatus {
  readonly health: Pick<Health, 'running' | 'queued' | 'state'>;
  readonly activations: readonly Pick<
    ActivationStatus,
    'name' | 'lastSuccessAt' | 'nextRunAt' | 'paused' | 'warnings'
  >[];
  /** Notifications that wait, and those that were given up. */
  readonly notifications: { readonly waiting: number; readonly lost: number };
}

export interface MetricsOptions {
  readonly version: string;
  readonly status: () => MetricsStatus | Promise<MetricsStatus>;
}

interface MetricKind {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}

/** Every metric of Sluice's own; the reference page is made of it. */
export const METRICS = {
  sluice_build_info: { type: 'gauge', labels: ['version'], help: 'Always 1; says which version runs.' },
  sluice_ready: { type: 'gauge', labels: [], help: 'Whether the daemon takes requests for runs.' },
  sluice_runs_total: {
    type: 'counter',
    labels: ['activation', 'state'],
    help: 'Runs that ended, by state: succeeded, failed, held, cancelled or recovered.',
  },
  sluice_run_duration_seconds: {
    type: 'histogram',
    labels: ['activation'],
    help: 'Time from start to end of runs that succeeded, failed or were held, over all attempts.',
  },
  sluice_run_attempts_total: {
    type: 'counter',
    labels: ['activation'],
    help: 'Attempts of runs that ended, well or not.',
  },
  sluice_run_retries_total: {
    type: 'counter',
    labels: ['activation', 'category'],
    help: 'Attempts that failed and were followed by another, by category of the error.',
  },
  sluice_rows_read_total: {
    type: 'counter',
    labels: ['activation'],
    help: 'Rows that the source returned to runs that succeeded.',
  },
  sluice_rows_total: {
    type: 'counter',
    labels: ['activation', 'change'],
    help: 'Rows of runs that succeeded, by change: added, updated, removed or unchanged.',
  },
  sluice_rows_written_total: {
    type: 'counter',
    labels: ['activation'],
    help: 'Rows in the files of runs that succeeded.',
  },
  sluice_rows_skipped_total: {
    type: 'counter',
    labels: ['activation'],
    help: 'Rows left out for a null or repeated key by runs that succeeded.',
  },
  sluice_written_bytes_total: {
    type: 'counter',
    labels: ['activation'],
    help: 'Bytes in the files of runs that succeeded, as stored.',
  },
  sluice_slices_total: {
    type: 'counter',
    labels: ['activation'],
    help: 'Slices that were read by runs that succeeded, where workers of a queue read them.',
  },
  sluice_slices: {
    type: 'gauge',
    labels: ['activation', 'state'],
    help: 'Slices of the run under way that workers of a queue have read, read now, or are to read: done, running or waiting; absent without such a run.',
  },
  sluice_runs_running: { type: 'gauge', labels: [], help: 'Runs under way.' },
  sluice_runs_queued: {
    type: 'gauge',
    labels: [],
    help: 'Runs that wait, for their turn or their next attempt.',
  },
  sluice_last_success_timestamp_seconds: {
    type: 'gauge',
    labels: ['activation'],
    help: 'When a run last succeeded, in Unix time; absent before the first success.',
  },
  sluice_next_run_timestamp_seconds: {
    type: 'gauge',
    labels: ['activation'],
    help: 'When the next scheduled run is due, in Unix time; absent without a schedule and while paused.',
  },
  sluice_activation_paused: {
    type: 'gauge',
    labels: ['activation'],
    help: '1 while the activation is paused, else 0.',
  },
  sluice_warnings_active: {
    type: 'gauge',
    labels: ['activation', 'code'],
    help: '1 for each warning that holds.',
  },
  sluice_notifications_total: {
    type: 'counter',
    labels: ['kind', 'outcome'],
    help: 'Attempts to deliver a notification: delivered or failed; and notifications given up: lost.',
  },
  sluice_notifications_undelivered: {
    type: 'gauge',
    labels: ['state'],
    help: 'Notifications that wait to be delivered, and those that were given up.',
  },
} as const satisfies Record<string, MetricKind>;

/** Gauges that are named as counters; each is the sum of another one that stays. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

type MetricName = keyof typeof METRICS;

const DURATION_BUCKETS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400];
const TIMED_STATES: ReadonlySet<string> = new Set(['succeeded', 'failed', 'held']);
const SLICE_STATES = ['done', 'running', 'waiting'] as const;
const CHANGES = ['added', 'updated', 'removed', 'unchanged'] as const;

/**
 * Metrics of the daemon in a registry of its own. Series carry names of activations that
 * are in the configuration and of no others, so that their number stays bounded: those of
 * one that is gone are dropped.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #status: MetricsOptions['status'];
  readonly #counters = new Map<MetricName, Counter>();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #duration: Histogram;
  #activations: ReadonlySet<string> = new Set();

  constructor({ version, status }: MetricsOptions) {
    this.#status = status;
    const registers = [this.#registry];
    for (const [key, { type, labels, help }] of Object.entries(METRICS)) {
      const name = key as MetricName;
      const options = { name, help, labelNames: [...labels], registers };
      if (type === 'counter') this.#counters.set(name, new Counter(options));
      else if (type === 'gauge') this.#gauges.set(name, new Gauge(options));
    }
    const { help, labels } = METRICS.sluice_run_duration_seconds;
    const name = 'sluice_run_duration_seconds';
    this.#duration = new Histogram({
      name,
      help,
      labelNames: [...labels],
      registers,
      buckets: DURATION_BUCKETS,
    });
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
    this.#gauge('sluice_build_info').set({ version }, 1);
  }

  /** The activations of the configuration, at start and at every reload. */
  setActivations(names: readonly string[]): void {
    const present = new Set(names);
    for (const name of this.#activations) if (!present.has(name)) this.#drop(name);
    for (const name of present) if (!this.#activations.has(name)) this.#begin(name);
    this.#activations = present;
  }

  /** An attempt failed, and the run will have another. */
  runRetried(activation: string, category: ErrorCategory): void {
    if (!this.#activations.has(activation)) return;
    this.#counter('sluice_run_attempts_total').inc({ activation });
    this.#counter('sluice_run_retries_total').inc({ activation, category });
  }

  /** How far the run of an activation is. */
  runProgressed(activation: string, { slices }: Pick<RunProgress, 'slices'>): void {
    if (slices === undefined || !this.#activations.has(activation)) return;
    const { count, done, running } = slices;
    const told = { done, running, waiting: Math.max(0, count - done - running) };
    for (const state of SLICE_STATES) this.#gauge('sluice_slices').set({ activation, state }, told[state]);
  }

  runEnded(record: RunRecord): void {
    const { activation, state, startedAt, endedAt, counts, slices } = record;
    if (!this.#activations.has(activation)) return;
    this.#forgetSlices(activation);
    this.#counter('sluice_runs_total').inc({ activation, state });
    this.#counter('sluice_run_attempts_total').inc({ activation });
    if (TIMED_STATES.has(state) && endedAt !== undefined) {
      const seconds = (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
      this.#duration.observe({ activation }, Math.max(seconds, 0));
    }
    if (!isSuccess(record)) return;
    this.#counter('sluice_rows_read_total').inc({ activation }, counts.read);
    this.#counter('sluice_rows_written_total').inc({ activation }, counts.written);
    this.#counter('sluice_rows_skipped_total').inc({ activation }, counts.skipped);
    this.#counter('sluice_written_bytes_total').inc({ activation }, counts.bytes);
    if (slices?.workers) this.#counter('sluice_slices_total').inc({ activation }, slices.count);
    for (const change of CHANGES) {
      this.#counter('sluice_rows_total').inc({ activation, change }, counts[change]);
    }
  }

  notificationTried(outcome: DeliveryOutcome, kind: 'webhook' | 'email'): void {
    this.#counter('sluice_notifications_total').inc({ kind, outcome });
  }

  /**
   * All of it, in the text format of Prometheus; or what belongs to the activations for
   * which `sees` holds, without sums over all.
   */
  async render(
    sees?: (activation: string) => boolean,
  ): Promise<{ readonly text: string; readonly contentType: string }> {
    const status = await this.#status();
    this.#show(status);
    const all = await this.#registry.metrics();
    const text = sees === undefined ? all : linesOf(all, sees);
    return { text, contentType: this.#registry.contentType };
  }

  #show({ health, activations, notifications }: MetricsStatus): void {
    this.#gauge('sluice_ready').set(health.state === 'ready' ? 1 : 0);
    this.#gauge('sluice_runs_running').set(health.running);
    this.#gauge('sluice_runs_queued').set(health.queued);
    this.#gauge('sluice_notifications_undelivered').set({ state: 'waiting' }, notifications.waiting);
    this.#gauge('sluice_notifications_undelivered').set({ state: 'lost' }, notifications.lost);
    const success = this.#fresh('sluice_last_success_timestamp_seconds');
    const next = this.#fresh('sluice_next_run_timestamp_seconds');
    const paused = this.#fresh('sluice_activation_paused');
    const active = this.#fresh('sluice_warnings_active');
    for (const { name: activation, lastSuccessAt, nextRunAt, paused: pause, warnings } of activations) {
      if (!this.#activations.has(activation)) continue;
      if (lastSuccessAt !== undefined) success.set({ activation }, Date.parse(lastSuccessAt) / 1000);
      if (nextRunAt !== undefined) next.set({ activation }, Date.parse(nextRunAt) / 1000);
      paused.set({ activation }, pause === undefined ? 0 : 1);
      for (const { code } of warnings) active.set({ activation, code }, 1);
    }
  }

  /** Counters start at 0, so that the first run is an increase. */
  #begin(activation: string): void {
    for (const state of ENDED_STATES) this.#counter('sluice_runs_total').inc({ activation, state }, 0);
    for (const change of CHANGES) this.#counter('sluice_rows_total').inc({ activation, change }, 0);
    for (const [name, counter] of this.#counters) {
      if (METRICS[name].labels.join() === 'activation') counter.inc({ activation }, 0);
    }
    this.#duration.zero({ activation });
  }

  #forgetSlices(activation: string): void {
    for (const state of SLICE_STATES) this.#gauge('sluice_slices').remove({ activation, state });
  }

  #drop(activation: string): void {
    this.#forgetSlices(activation);
    for (const state of ENDED_STATES) this.#counter('sluice_runs_total').remove({ activation, state });
    for (const change of CHANGES) this.#counter('sluice_rows_total').remove({ activation, change });
    for (const category of ERROR_CATEGORIES) {
      this.#counter('sluice_run_retries_total').remove({ activation, category });
    }
    for (const [name, counter] of this.#counters) {
      if (METRICS[name].labels.join() === 'activation') counter.remove({ activation });
    }
    this.#duration.remove({ activation });
  }

  #counter(name: MetricName): Counter {
    return this.#counters.get(name)!;
  }

  #gauge(name: MetricName): Gauge {
    return this.#gauges.get(name)!;
  }

  #fresh(name: MetricName): Gauge {
    const gauge = this.#gauge(name);
    gauge.reset();
    return gauge;
  }
}

/** Sums over all activations, also over those that somebody does not see. */
const SUMS = /^sluice_(?:runs_running|runs_queued|notifications)/;

function linesOf(text: string, sees: (activation: string) => boolean): string {
  return text
    .split('\n')
    .filter(line => {
      const [, activation] = /^[^#].*[{,]activation="([^"]*)"/.exec(line) ?? [];
      return activation === undefined ? !SUMS.test(line) : sees(activation);
    })
    .join('\n');
}
