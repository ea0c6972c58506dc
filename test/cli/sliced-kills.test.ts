import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunRecord } from '../../src/history/run-record.ts';
import { isSuccess } from '../../src/history/run-state.ts';
import { everyNth } from '../support/all-cases.ts';
import { type BlobAction, startBlobProxy } from '../support/blob-proxy.ts';
import { commandLine, type Printed } from './command-line.ts';
import { createProject } from './support.ts';

/** Whether the request at which the process is killed still does its work. */
const SIDES = ['reset', 'reset-after-apply'] as const satisfies readonly BlobAction[];
const SLICES = 2;

test('verbs that are killed at any of their requests are done once they are called again', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const { database, container } = project;
  const proxy = await startBlobProxy(container.accountUrl);
  t.after(() => proxy.close());
  const settings = `model: customers, destination: lake, format: { type: json }, consistency: slice`;
  project.configure(`version: 1
sources: { warehouse: { type: postgres, url: "${database.url}" } }
destinations:
  lake:
    type: azure-blob
    accountUrl: "${proxy.through(container.accountUrl)}"
    container: ${container.container}
    auth: { accountKey: "${container.accountKey}" }
models: { customers: { source: warehouse, table: public.customers } }
activations: { sliced: { ${settings}, fileName: "sliced-{run}" } }`);

  const verbsOf = (plan: string): string[][] => [
    ['begin', 'sliced', '--out', plan, '--slices', String(SLICES)],
    ...Array.from({ length: SLICES }, (_, slice) => ['slice', plan, String(slice)]),
    ['finalise', plan],
  ];
  // Only what is killed needs a process of its own.
  const succeed = async (verb: readonly string[]): Promise<Printed> => {
    const printed = await commandLine(['--config', join(project.cwd, 'sluice.yaml'), ...verb]);
    assert.equal(printed.code, 0, printed.err);
    return printed;
  };
  const filesNow = async (): Promise<string[]> =>
    (await container.list()).filter(name => name.startsWith('sliced-'));

  // Which requests there are.
  const counts: number[] = [];
  for (const verb of verbsOf(join(project.cwd, 'counted.json'))) {
    const before = proxy.requests.length;
    await succeed(verb);
    counts.push(proxy.requests.length - before);
  }
  const all = counts.flatMap((count, place) =>
    Array.from({ length: count }, (_, request) => SIDES.map(side => ({ place, request, side }))).flat(),
  );
  let killed = 0;
  const points = everyNth(12, all);
  for (const [index, { place, request, side }] of points.entries()) {
    const plan = join(project.cwd, `plan-${index}.json`);
    const before = (await filesNow()).length;
    for (const [at, verb] of verbsOf(plan).entries()) {
      if (at === place) {
        const command = project.start(...verb);
        let seen = 0;
        proxy.setHook(() => {
          if (seen++ !== request) return undefined;
          command.kill('SIGKILL');
          return side;
        });
        if ((await command.ended).code === null) killed++;
        proxy.setHook(undefined);
      }
      await succeed(verb);
    }
    const files = await filesNow();
    assert.equal(files.length, before + 1, JSON.stringify({ place, request, side }));
    const [record] = (await succeed(['finalise', plan, '--json'])).json<RunRecord>();
    assert.ok(record && isSuccess(record));
    const rows = JSON.parse((await container.download(record.files[0]!.name)).toString()) as { id: number }[];
    assert.deepEqual(
      rows.map(({ id }) => id),
      Array.from({ length: 10 }, (_, row) => row + 1),
    );
  }
  t.diagnostic(`${all.length} requests, ${killed} of ${points.length} commands killed`);
  assert.ok(killed > points.length * 0.8);
});
