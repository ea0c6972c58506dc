import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import type { FollowTarget, Success } from '../../../src/daemon/parts.ts';
import { FOLLOWED_DOCUMENT, FollowUps } from '../../../src/daemon/schedule/follow-ups.ts';
import { SluiceError } from '../../../src/errors.ts';
import { activation } from '../support/activations.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { MemoryDocuments } from '../support/memory-documents.ts';
import { MemoryLog } from '../support/memory-log.ts';

/** Whoever makes runs: as the daemon, one for each success that it is asked for. */
class Target implements FollowTarget {
  readonly successes = new Map<string, Success[]>();
  readonly made: string[] = [];
  readonly paused = new Set<string>();
  refusal: SluiceError | undefined;

  isPaused = (name: string): boolean => this.paused.has(name);
  successesOf = async (name: string): Promise<readonly Success[]> => this.successes.get(name) ?? [];

  async follow(name: string, other: string, { run }: Success): Promise<void> {
    if (this.refusal) throw this.refusal;
    const made = `${name} after ${other} ${run}`;
    if (!this.made.includes(made)) this.made.push(made);
  }

  succeed(name: string, ...runs: string[]): void {
    this.successes.set(name, [...(this.successes.get(name) ?? []), ...runs.map(run => ({ run }))]);
  }
}

class World {
  readonly clock = new ManualClock('2025-04-14T07:00:00Z', 1);
  readonly documents = new MemoryDocuments();
  readonly log = new MemoryLog();
  readonly target = new Target();
  followUps = this.#make();

  #make(): FollowUps {
    return new FollowUps({ ...this, clock: this.clock, documents: this.documents, log: this.log });
  }

  schedule(...activations: ResolvedActivation[]): Promise<void> {
    return this.followUps.schedule(activations);
  }

  /** The daemon ends and begins again. */
  restart(): void {
    this.followUps.stop();
    this.followUps = this.#make();
  }
}

/** The configuration of a test has no other activations: only their names matter here. */
function after(name: string, ...others: string[]): ResolvedActivation {
  return { ...activation(name), schedule: others.map(other => ({ after: other })) };
}

test('each success is followed by one run, in order, and those before the schedule by none', async () => {
  const world = new World();
  world.target.succeed('load', 'r1');
  await world.schedule(after('export', 'load'));
  assert.deepEqual(world.target.made, []);
  world.target.succeed('load', 'r2', 'r3');
  await world.followUps.look();
  await world.followUps.look();
  assert.deepEqual(world.target.made, ['export after load r2', 'export after load r3']);
});

test('the first success is followed where there was none before', async () => {
  const world = new World();
  await world.schedule(after('export', 'load', 'refresh'));
  world.target.succeed('refresh', 'r1');
  await world.followUps.look();
  assert.deepEqual(world.target.made, ['export after refresh r1']);
});

test('successes while the daemon was down are followed at its next start, each once', async () => {
  const world = new World();
  await world.schedule(after('export', 'load'));
  world.target.succeed('load', 'r1');
  await world.followUps.look();
  world.restart();
  world.target.succeed('load', 'r2', 'r3');
  await world.schedule(after('export', 'load'));
  const made = ['export after load r1', 'export after load r2', 'export after load r3'];
  assert.deepEqual(world.target.made, made);
  world.restart();
  await world.schedule(after('export', 'load'));
  assert.deepEqual(world.target.made, made);
});

test('a run that cannot be accepted now is asked for again, before those behind it', async () => {
  const world = new World();
  await world.schedule(after('export', 'load'));
  world.target.refusal = new SluiceError('QUEUE_FULL', '100 runs of export wait already');
  world.target.succeed('load', 'r1', 'r2');
  await world.followUps.look();
  assert.deepEqual(world.target.made, []);
  world.target.refusal = undefined;
  await world.clock.pass(10_000);
  await world.followUps.look();
  assert.deepEqual(world.target.made, ['export after load r1', 'export after load r2']);
});

test('a success that nobody tells of is noticed by itself', async () => {
  const world = new World();
  await world.schedule(after('export', 'load'));
  world.target.succeed('load', 'r1');
  await world.clock.pass(10_000);
  await settled();
  assert.deepEqual(world.target.made, ['export after load r1']);
});

test('a run that is refused for good, and one of a paused activation, are left out', async () => {
  const world = new World();
  await world.schedule(after('export', 'load'));
  world.target.paused.add('export');
  world.target.succeed('load', 'r1');
  await world.followUps.look();
  world.target.paused.clear();
  world.target.refusal = new SluiceError('NAME_UNKNOWN', 'there is no activation export');
  world.target.succeed('load', 'r2');
  await world.followUps.look();
  world.target.refusal = undefined;
  world.target.succeed('load', 'r3');
  await world.followUps.look();
  assert.deepEqual(world.target.made, ['export after load r3']);
});

test('an entry that is taken out and comes back is a new one', async () => {
  const world = new World();
  await world.schedule(after('export', 'load'));
  await world.schedule(after('export'));
  world.target.succeed('load', 'r1');
  await world.schedule(after('export', 'load'));
  assert.deepEqual(world.target.made, []);
});

test('the last run that was followed may have left the history', async () => {
  const world = new World();
  await world.schedule(after('export', 'load'));
  world.target.succeed('load', 'r1');
  await world.followUps.look();
  world.target.successes.set('load', []);
  world.target.succeed('load', 'r2');
  await world.followUps.look();
  assert.deepEqual(world.target.made, ['export after load r1', 'export after load r2']);
});

test('what is kept and damaged is said, and nothing behind it is followed', async () => {
  const world = new World();
  world.target.succeed('load', 'r1');
  await world.documents.write(FOLLOWED_DOCUMENT, { version: 1, followed: 'load' });
  await world.schedule(after('export', 'load'));
  assert.match(JSON.stringify(world.log.lines), /runs after others that were missed cannot be told/);
  assert.deepEqual(world.target.made, []);
});
