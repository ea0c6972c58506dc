import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RunRecord } from '../../src/history/run-record.ts';
import { isSuccess } from '../../src/history/run-state.ts';
import { everyNth } from '../support/all-cases.ts';
import { type BlobAction, startBlobProxy } from '../support/blob-proxy.ts';
import { commandLine, type Printed } from './command-line.ts';
import { createProject } from './support.ts';

/** Whether the request at which the process is killed still does its work. */
const SIDES = ['reset', 'reset-after-apply'] as const satisfies readonly BlobAction[];
const SLICES = 2;
/** Variable that names the data directory of a host. */
const HOST = 'SLUICE_TEST_HOST';

for (const isInState of [false, true]) {
  const where = isInState ? 'state, each on a host of its own' : 'a file';
  test(`verbs that are killed at any of their requests are done once they are called again, with a plan in ${where}`, t =>
    killVerbs(t, isInState));
}

async function killVerbs(t: TestContext, isInState: boolean): Promise<void> {
  const project = await createProject();
  t.after(() => project.remove());
  const { database, container } = project;
  const proxy = await startBlobProxy(container.accountUrl);
  t.after(() => proxy.close());
  const settings = `model: customers, destination: lake, format: { type: json }, consistency: slice`;
  // Verbs that follow one that was killed find nothing but what is in blobs.
  let hosts = 0;
  const onNewHost = (): void => {
    if (isInState) process.env[HOST] = `./host-${++hosts}`;
  };
  t.after(() => delete process.env[HOST]);
  project.configure(`version: 1
dataDirectory: "\${${HOST}:-./.sluice}"
state: { destination: lake }
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
    onNewHost();
    const printed = await commandLine(['--config', join(project.cwd, 'sluice.yaml'), ...verb]);
    assert.equal(printed.code, 0, printed.err);
    return printed;
  };
  const filesNow = async (): Promise<string[]> =>
    (await container.list()).filter(name => name.startsWith('sliced-'));

  // Which requests there are.
  const counts: number[] = [];
  const planOf = (name: string): string => (isInState ? `state:${name}` : join(project.cwd, `${name}.json`));
  for (const verb of verbsOf(planOf('counted'))) {
    const before = proxy.requests.length;
    await succeed(verb);
    counts.push(proxy.requests.length - before);
  }
  const all = counts.flatMap((count, place) =>
    Array.from({ length: count }, (_, request) => SIDES.map(side => ({ place, request, side }))).flat(),
  );
  let killed = 0;
  const points = everyNth(isInState ? 30 : 12, all);
  for (const [index, { place, request, side }] of points.entries()) {
    const plan = planOf(`plan-${index}`);
    const before = (await filesNow()).length;
    for (const [at, verb] of verbsOf(plan).entries()) {
      if (at === place) {
        onNewHost();
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
}
