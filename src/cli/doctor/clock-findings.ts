import http from 'node:http';
import https from 'node:https';
import { routeTo } from '../../addresses/routes.ts';
import {
  type ResolvedActivation,
  type ResolvedDestination,
  resolveActivation,
} from '../../config/activation.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { SluiceError } from '../../errors.ts';
import { previewActivation } from '../../run/preview.ts';
import { unexpectedError } from '../../system-errors.ts';
import { destinationUrl, remoteDestinations } from './destinations.ts';
import type { Finding } from './finding.ts';

/** Schedules and records that differ by more than this confuse whoever reads them. */
const MUCH_MS = 30_000;
/** Azure refuses requests that are signed with a time further away than this. */
const TOO_MUCH_MS = 15 * 60_000;
const TIMEOUT_MS = 15_000;

const CLOCK_SQL = 'select (extract(epoch from clock_timestamp()) * 1000)::bigint::text as now';

/**
 * The clock of this machine against that of each database and each storage account that
 * an activation uses.
 */
export async function clockFindings(config: LoadedConfig['config'], signal: AbortSignal): Promise<Finding[]> {
  const activations = Object.keys(config.activations).map(name => resolveActivation(config, name));
  const sources = new Map(activations.map(activation => [activation.source.name, activation]));
  return Promise.all([
    ...[...sources]
      .filter(([, { source }]) => 'address' in source)
      .map(([name, activation]) => compare(`source ${name}`, () => timeOfSource(activation, signal))),
    ...remoteDestinations(config).map(destination =>
      compare(`destination ${destination.name}`, () => timeOfDestination(destination, signal)),
    ),
  ]);
}

async function compare(what: string, theirs: () => Promise<number>): Promise<Finding> {
  const check = 'clock';
  try {
    const before = Date.now();
    const there = await theirs();
    const after = Date.now();
    // Theirs is of some instant in between, and the header of HTTP has whole seconds.
    const ahead = before - there - 1000;
    const behind = there - after;
    const offMs = Math.max(ahead, behind, 0);
    if (offMs <= MUCH_MS) return { check, outcome: 'passed', message: `${what} has the same time` };
    const seconds = Math.round(offMs / 1000).toLocaleString('en');
    const side = ahead > behind ? 'ahead of' : 'behind';
    const message = `this machine is ${seconds} s ${side} the clock of ${what}`;
    const hint = 'set the clock by NTP';
    return { check, outcome: offMs > TOO_MUCH_MS ? 'failed' : 'noted', message, hint };
  } catch (error) {
    const { code, message, hint } = unexpectedError(error);
    return { check, outcome: 'failed', message: `${what}: ${code}: ${message}`, hint };
  }
}

async function timeOfSource(activation: ResolvedActivation, signal: AbortSignal): Promise<number> {
  const { where: _where, mapping: _mapping, ...rest } = activation;
  const model = { name: 'clock', sql: CLOCK_SQL, primaryKey: ['now'] };
  const { rows } = await previewActivation({ activation: { ...rest, model }, rows: 1, signal });
  return Number(rows[0]?.[0]);
}

/** Every answer of HTTP has the time, also one that refuses: no credentials are sent. */
async function timeOfDestination(destination: ResolvedDestination, signal: AbortSignal): Promise<number> {
  const url = destinationUrl(destination);
  const { agent, proxy } = routeTo(url, destination.proxies);
  const { request } = url.protocol === 'https:' ? https : http;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const doing = `asking ${url.host} for its time`;
  const answered = new Promise<string | undefined>((resolve, reject) => {
    request(url, { method: 'HEAD', agent, signal: AbortSignal.any([signal, timeout]) })
      .on('response', answer => {
        answer.resume();
        resolve(answer.headers.date);
      })
      .on('error', reject)
      .end();
  });
  const date = await answered.catch((cause: NodeJS.ErrnoException) => {
    const { aborted } = timeout;
    const seen = aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : (cause.code ?? cause.message);
    const way = proxy === undefined ? '' : ` through the proxy ${proxy.label}`;
    const code = aborted ? 'DESTINATION_TIMEOUT' : 'DESTINATION_CONNECT_FAILED';
    const message = `${doing}: the connection${way} failed (${seen})`;
    throw new SluiceError(code, message, { cause, stage: 'destination' });
  });
  const time = Date.parse(date ?? '');
  if (!Number.isNaN(time)) return time;
  throw new SluiceError('DESTINATION_REFUSED', `${doing}: its answer has none`, {
    stage: 'destination',
    hint: 'look whether the URL is that of the storage account',
  });
}
