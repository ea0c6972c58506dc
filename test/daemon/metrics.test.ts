import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { metricsReference } from '../../docs/reference/metrics-page.ts';
import { METRICS, Metrics, type MetricsStatus } from '../../src/daemon/metrics.ts';
import { WARNING_RULES } from '../../src/daemon/warnings/warning-rules.ts';
import { NO_COUNTS, type RunRecord } from '../../src/history/run-record.ts';
import { record } from './support/records.ts';

const IDLE: MetricsStatus = {
  health: { state: 'ready', running: 0, queued: 0 },
  activations: [],
  notifications: { waiting: 0, lost: 0 },
};

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the text format of Prometheus, without the package that wrote it. */
function parse(text: string): { samples: Map<string, Sample[]>; types: Map<string, string> } {
  const samples = new Map<string, Sample[]>();
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, typed, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (typed !== undefined) types.set(typed, type!);
    if (line === '' || line.startsWith('#')) continue;
    const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    assert.ok(name !== undefined, `no sample: ${line}`);
    const pairs = Array.from(labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, key, text]) => [key, text]);
    const sample = { labels: Object.fromEntries(pairs), value: Number(value) };
    samples.set(name, [...(samples.get(name) ?? []), sample]);
  }
  return { samples, types };
}

async function read(
  metrics: Metrics,
): Promise<(name: string, labels?: Sample['labels']) => number | undefined> {
  const { samples } = parse((await metrics.render()).text);
  return (name, labels = {}) =>
    samples
      .get(name)
      ?.find(sample => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))?.value;
}

function metricsOf(...activations: string[]): { metrics: Metrics; status: { now: MetricsStatus } } {
  const status = { now: IDLE };
  const metrics = new Metrics({ version: '1.2.3', status: () => status.now });
  metrics.setActivations(activations);
  return { metrics, status };
}

const counted: Partial<RunRecord> = {
  startedAt: '2026-06-01T00:00:00.000Z',
  endedAt: '2026-06-01T00:00:07.500Z',
};
function published(state: RunRecord['state'] = 'succeeded'): RunRecord {
  const counts = {
    ...NO_COUNTS,
    read: 10,
    added: 4,
    updated: 3,
    removed: 2,
    unchanged: 3,
    written: 9,
    bytes: 512,
  };
  return { ...record(state, counted), counts };
}

test('runs, rows, bytes and time are counted by activation', async () => {
  const { metrics } = metricsOf('a', 'b');
  for (const ended of [published(), published('recovered'), record('failed', counted), record('cancelled')]) {
    metrics.runEnded(ended);
  }
  metrics.runRetried('a', 'rate limit');
  const value = await read(metrics);
  const activation = 'a';
  const runs = ['succeeded', 'recovered', 'failed', 'cancelled', 'held'].map(state =>
    value('sluice_runs_total', { activation, state }),
  );
  assert.deepEqual(runs, [1, 1, 1, 1, 0]);
  const rows = ['added', 'updated', 'removed', 'unchanged'].map(change =>
    value('sluice_rows_total', { activation, change }),
  );
  assert.deepEqual(rows, [8, 6, 4, 6]);
  assert.equal(value('sluice_rows_read_total', { activation }), 20);
  assert.equal(value('sluice_rows_written_total', { activation }), 18);
  assert.equal(value('sluice_written_bytes_total', { activation }), 1024);
  assert.equal(value('sluice_run_attempts_total', { activation }), 5);
  assert.equal(value('sluice_run_retries_total', { activation, category: 'rate limit' }), 1);
  // The durations of one that succeeded and one that failed; a recovered or cancelled
  // run's says nothing.
  assert.equal(value('sluice_run_duration_seconds_count', { activation }), 2);
  assert.equal(value('sluice_run_duration_seconds_sum', { activation }), 15);
  assert.equal(value('sluice_run_duration_seconds_bucket', { activation, le: '5' }), 0);
  assert.equal(value('sluice_run_duration_seconds_bucket', { activation, le: '10' }), 2);
  assert.equal(value('sluice_runs_total', { activation: 'b', state: 'succeeded' }), 0);
});

test('the state of the daemon is that of the moment at which it is asked for', async () => {
  const { metrics, status } = metricsOf('a', 'b');
  status.now = {
    health: { state: 'ready', running: 2, queued: 7 },
    activations: [
      {
        name: 'a',
        lastSuccessAt: '2026-06-01T00:00:00.000Z',
        nextRunAt: '2026-06-02T00:00:00.500Z',
        warnings: [
          { code: 'RUN_FAILED', message: 'm', since: 's' },
          { code: 'SAS_EXPIRES', message: 'm', since: 's' },
        ],
      },
      { name: 'b', paused: { by: 'user', since: 's', reason: 'r' }, warnings: [] },
    ],
    notifications: { waiting: 3, lost: 1 },
  };
  const value = await read(metrics);
  assert.deepEqual(
    [value('sluice_runs_running'), value('sluice_runs_queued'), value('sluice_ready')],
    [2, 7, 1],
  );
  assert.equal(value('sluice_last_success_timestamp_seconds', { activation: 'a' }), 1780272000);
  assert.equal(value('sluice_next_run_timestamp_seconds', { activation: 'a' }), 1780358400.5);
  assert.equal(value('sluice_last_success_timestamp_seconds', { activation: 'b' }), undefined);
  assert.deepEqual(
    ['a', 'b'].map(activation => value('sluice_activation_paused', { activation })),
    [0, 1],
  );
  assert.equal(value('sluice_warnings_active', { activation: 'a', code: 'SAS_EXPIRES' }), 1);
  assert.equal(value('sluice_notifications_undelivered', { state: 'waiting' }), 3);
  assert.equal(value('sluice_notifications_undelivered', { state: 'lost' }), 1);
  assert.equal(value('sluice_build_info', { version: '1.2.3' }), 1);

  status.now = { ...IDLE, health: { ...IDLE.health, state: 'stopping' } };
  const later = await read(metrics);
  assert.equal(later('sluice_warnings_active'), undefined);
  assert.equal(later('sluice_last_success_timestamp_seconds'), undefined);
  assert.deepEqual([later('sluice_ready'), later('sluice_runs_running')], [0, 0]);
});

test('series of an activation that is removed are dropped, and others never begin', async () => {
  const { metrics, status } = metricsOf('a', 'gone');
  const gone = { name: 'gone', lastSuccessAt: '2026-06-01T00:00:00.000Z', warnings: [] };
  const stranger = { name: 'stranger', warnings: [{ code: 'HELD', message: '', since: '' }] };
  status.now = { ...IDLE, activations: [gone, stranger] };
  metrics.runEnded({ ...published(), activation: 'gone' });
  metrics.runRetried('gone', 'timeout');
  assert.match((await metrics.render()).text, /gone/);
  metrics.setActivations(['a', 'new']);
  for (const name of ['gone', 'stranger']) {
    metrics.runEnded({ ...published(), activation: name });
    metrics.runRetried(name, 'timeout');
  }
  const { text } = await metrics.render();
  assert.doesNotMatch(text, /gone|stranger/);
  assert.match(text, /sluice_runs_total\{activation="new",state="failed"\} 0/);
});

test('the number of series is bounded by the activations, whatever happens', async () => {
  const { metrics, status } = metricsOf('a', 'b');
  const warnings = WARNING_RULES.map(({ code }) => ({ code, message: '', since: '' }));
  status.now = { ...IDLE, activations: [{ name: 'a', warnings }] };
  const states = ['succeeded', 'failed', 'held', 'cancelled', 'recovered'] as const;
  const ours = async (): Promise<number> => {
    const { samples } = parse((await metrics.render()).text);
    return [...samples].filter(([name]) => name.startsWith('sluice_')).flatMap(([, found]) => found).length;
  };
  const categories = [
    'connection',
    'credentials',
    'rate limit',
    'configuration',
    'timeout',
    'not found',
  ] as const;
  const fill = (): void => {
    for (const state of states) metrics.runEnded({ ...record(state), run: `${Math.random()}` });
    for (const category of categories) metrics.runRetried('a', category);
    metrics.notificationTried('failed', 'webhook');
  };
  fill();
  const before = await ours();
  for (let round = 0; round < 1000; round++) fill();
  assert.equal(await ours(), before);
  // Reloads add nothing either.
  for (let round = 0; round < 100; round++) metrics.setActivations(round % 2 === 0 ? ['a'] : ['a', 'b']);
  assert.equal(await ours(), before);
});

test('notifications are counted by kind and outcome', async () => {
  const { metrics } = metricsOf();
  metrics.notificationTried('failed', 'webhook');
  metrics.notificationTried('failed', 'webhook');
  metrics.notificationTried('delivered', 'email');
  const value = await read(metrics);
  assert.equal(value('sluice_notifications_total', { kind: 'webhook', outcome: 'failed' }), 2);
  assert.equal(value('sluice_notifications_total', { kind: 'email', outcome: 'delivered' }), 1);
});

test('what is served is the text format, names follow its conventions, and each registry is its own', async () => {
  const { metrics } = metricsOf('a');
  metrics.runRetried('a', 'timeout');
  metrics.notificationTried('delivered', 'webhook');
  const { text, contentType } = await metrics.render();
  assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8');
  const { types } = parse(text);
  for (const [name, { type, labels }] of Object.entries(METRICS)) {
    assert.equal(types.get(name), type, name);
    assert.match(name, /^sluice_[a-z_]+$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.doesNotMatch(name, /_(ms|milliseconds|minutes|kb|mb|percent)(_|$)/, name);
    assert.ok(
      labels.every(label =>
        ['activation', 'state', 'change', 'category', 'code', 'kind', 'outcome', 'version'].includes(label),
      ),
    );
  }
  for (const [name, type] of types) assert.equal(name.endsWith('_total'), type === 'counter', name);
  assert.equal(types.get('nodejs_active_resources'), 'gauge');
  assert.equal(types.get('process_resident_memory_bytes'), 'gauge');
  assert.equal(types.get('nodejs_eventloop_lag_seconds'), 'gauge');
  // A second one in the same process does not meet the first.
  const { metrics: other } = metricsOf('b');
  assert.doesNotMatch((await other.render()).text, /activation="a"/);
});

test('the page of the reference is up to date', () => {
  const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8');
  assert.equal(page, metricsReference(), 'run npx tsx docs/reference/generate.ts');
});

test('a token for some activations is shown their series, and no sums over all', async () => {
  const metrics = new Metrics({ version: '1', status: () => IDLE });
  metrics.setActivations(['crm', 'salaries']);
  const { text } = await metrics.render(name => name === 'crm');
  assert.match(text, /sluice_runs_total\{activation="crm",state="failed"\} 0/);
  assert.match(text, /sluice_build_info/);
  assert.doesNotMatch(text, /salaries/);
  assert.doesNotMatch(text, /^sluice_(?:runs_running|runs_queued|notifications\S*) /m);
  parse(text);
});
