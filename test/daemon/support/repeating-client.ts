import assert from 'node:assert/strict';
import type { RunRecord } from '../../../src/history/run-record.ts';
import type { Random } from '../../simulation/random.ts';
import type { ReplacedDaemon } from './replaced-daemon.ts';
import type { Answer, ServeProcess } from './serve-process.ts';

/** As many of its runs may be under way. */
const AT_ONCE = 3;
const PAGE = 200;
/** A client that waits no longer than this many milliseconds for its answer. */
const IMPATIENT_MS = 15;

/**
 * Asks for runs of one activation, one after the other, each by a key of its own, until
 * the daemon has promised it.
 */
export class RepeatingClient {
  readonly activation: string;
  readonly #daemons: ReplacedDaemon;
  readonly #random: Random;
  /** The run that was promised for each key. */
  readonly #promised = new Map<string, string>();
  repeated = 0;
  replayed = 0;

  constructor(activation: string, daemons: ReplacedDaemon, random: Random) {
    this.activation = activation;
    this.#daemons = daemons;
    this.#random = random;
  }

  /** In the order in which they were promised. */
  get runs(): readonly string[] {
    return [...this.#promised.values()];
  }

  async ask(over: AbortSignal): Promise<void> {
    const open: string[] = [];
    for (let number = 1; !over.aborted; number++) {
      const key = `key-${number}`;
      // Two that ask for the same at the same time are told the same.
      if (this.#random.chance(0.1)) await Promise.all([this.#promise(key), this.#promise(key)]);
      open.push(await this.#promise(key));
      while (open.length >= AT_ONCE || (open.length > 0 && this.#random.chance(0.3)))
        await this.#ended(open.shift()!);
    }
  }

  /**
   * All runs when they have ended: each key has one, each has succeeded, and there are no
   * others.
   */
  async settle(): Promise<readonly RunRecord[]> {
    const records: RunRecord[] = [];
    for (const [key, run] of this.#promised) {
      const record = await this.#ended(run);
      assert.match(record.state, /^(succeeded|recovered)$/, `${key}: ${JSON.stringify(record)}`);
      assert.equal(record.idempotencyKey, key);
      records.push(record);
      const { headers, body } = await this.#insist(daemon => daemon.trigger(this.activation, key));
      assert.equal(headers.get('idempotency-replayed'), 'true', `${this.activation} ${key}`);
      assert.equal(body.run, run, `${this.activation} ${key} has made another run`);
    }
    assert.deepEqual(await this.#listed(), [...this.runs].sort().reverse(), 'the history has other runs');
    return records;
  }

  async #promise(key: string): Promise<string> {
    const impatient = this.#random.chance(0.15) ? this.#random.below(IMPATIENT_MS) : undefined;
    const { headers, body } = await this.#insist(
      (daemon, signal) => daemon.trigger(this.activation, key, signal),
      impatient,
    );
    const known = this.#promised.get(key);
    assert.ok(known === undefined || known === body.run, `${key} made ${known}, and then ${body.run}`);
    if (known === undefined && headers.get('idempotency-replayed') === 'true') this.replayed++;
    this.#promised.set(key, body.run);
    return body.run;
  }

  async #ended(run: string): Promise<RunRecord> {
    for (;;) {
      const { body } = await this.#insist(daemon =>
        daemon.call<RunRecord>('GET', `/v1/runs/${run}?wait=30s`),
      );
      if (body.endedAt !== undefined) return body;
    }
  }

  async #listed(): Promise<string[]> {
    const found: string[] = [];
    for (let before = ''; ; ) {
      const path = `/v1/runs?activation=${this.activation}&limit=${PAGE}${before && `&before=${before}`}`;
      const { body } = await this.#insist(daemon =>
        daemon.call<{ runs: RunRecord[]; next?: string }>('GET', path),
      );
      found.push(...body.runs.map(({ run }) => run));
      if (body.next === undefined) return found;
      before = body.next;
    }
  }

  /**
   * Asks until there is an answer. A daemon that gives none has to be one that was
   * killed, unless the client went away.
   */
  async #insist<Body>(
    ask: (daemon: ServeProcess, signal?: AbortSignal) => Promise<Answer<Body>>,
    impatientMs?: number,
  ): Promise<Answer<Body>> {
    let signal = impatientMs === undefined ? undefined : AbortSignal.timeout(impatientMs);
    for (;;) {
      const daemon = await this.#daemons.serving;
      let answer: Answer<Body> | undefined;
      try {
        answer = await ask(daemon, signal);
      } catch {
        if (!signal?.aborted) await daemon.command.ended;
      }
      signal = undefined;
      if (answer !== undefined && answer.status < 300) return answer;
      this.repeated++;
      if (answer === undefined) continue;
      const { code } = (answer.body as { error?: { code?: string } }).error ?? {};
      assert.equal(code, 'SHUTTING_DOWN', `${answer.status}: ${JSON.stringify(answer.body)}`);
      await daemon.command.ended;
    }
  }
}
