import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { nodeFindings, packageFindings } from '../../src/cli/doctor/machine-findings.ts';
import { commandLine } from './command-line.ts';
import { createProject } from './support.ts';

const DELTA =
  '  changes: { model: customers, destination: lake, fileName: "changes/{run}", format: { type: csv }, runType: full_then_delta, syncMode: upsert }';

interface Report {
  readonly passed: boolean;
  readonly findings: readonly Finding[];
}

test('doctor finds nothing wrong where runs work, and says what it looked at', async t => {
  const project = await createProject({ activations: DELTA });
  t.after(() => project.remove());
  const config = ['--config', join(project.cwd, 'sluice.yaml')];
  const { code, out, err } = await commandLine([...config, 'doctor'], { columns: 80 });
  assert.deepEqual([code, err], [0, ''], out);
  assert.match(out, /^ {2}ok {4}node +Sluice \S+ on Node\.js /m);
  assert.match(out, /^ {2}ok {4}configuration\s+\S*sluice\.yaml\s+with 2\b/m);
  assert.match(out, /^ {2}(?:ok|note) +data directory +\S+/m);
  assert.match(out, /^ {2}(?:ok|note) +memory +/m);
  assert.match(out, /^ {2}ok {4}proxies +lake \(127\.0\.0\.1:\d+\) is reached directly$/m);
  assert.match(out, /^ {2}ok {4}clock +source warehouse has the same time$/m);
  assert.match(out, /^ {2}ok {4}clock +destination lake has the same time$/m);
  for (const line of out.split('\n')) assert.ok(line.length <= 80 || !line.trim().includes(' '), line);
  const [report] = (await commandLine([...config, 'doctor', '--json'])).json<Report>();
  assert.equal(report?.passed, true);
  assert.doesNotMatch(JSON.stringify(report), new RegExp(project.container.accountKey.slice(0, 20)));
});

test('doctor says what is wrong with the configuration, and looks at the rest', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-doctor-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'sluice.yaml');
  const missing = await commandLine(['--config', path, 'doctor', '--json']);
  assert.equal(missing.code, 1);
  const checks = (report: Report | undefined): string[] =>
    (report?.findings ?? []).map(({ check, outcome }) => `${check} ${outcome}`);
  assert.deepEqual(checks(missing.json<Report>()[0]).slice(0, 2), ['node passed', 'configuration failed']);
  writeFileSync(
    path,
    `version: 1\nsources: { db: { type: postgres, url: "\${NOBODY_SET_THIS}" } }\ndataDirectory: ${path}/x\n`,
  );
  const [unset] = (await commandLine(['--config', path, 'doctor', '--json'])).json<Report>();
  assert.deepEqual(checks(unset).slice(1, 3), ['configuration failed', 'data directory failed']);
  assert.match(JSON.stringify(unset), /NOBODY_SET_THIS, which is not set/);
});

test('doctor compares the clock of this machine with the destination, and names what does not answer', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const server = createServer((_request, response) => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    response.sendDate = false;
    response.writeHead(403, { date }).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  project.configure(`version: 1
sources: { gone: { type: postgres, url: "postgresql://nobody@127.0.0.1:1/none" } }
destinations:
  down: { type: azure-blob, accountUrl: "http://127.0.0.1:1/devstoreaccount1", container: exports, auth: { accountKey: "${project.container.accountKey}" } }
  late: { type: azure-blob, accountUrl: "http://127.0.0.1:${port}/devstoreaccount1", container: exports, auth: { accountKey: "${project.container.accountKey}" } }
models: { m: { source: gone, sql: select 1 } }
activations:
  a: { model: m, destination: late, fileName: a, format: { type: csv } }
  b: { model: m, destination: down, fileName: b, format: { type: csv } }
`);
  const { code, out } = await commandLine(['--config', join(project.cwd, 'sluice.yaml'), 'doctor']);
  assert.equal(code, 1);
  assert.match(out, /^ {2}FAIL +clock +source gone: SOURCE_CONNECT_FAILED: /m);
  assert.match(
    out,
    /^ {2}FAIL +clock +destination down: DESTINATION_CONNECT_FAILED: .*\(ECONNREFUSED\); check/m,
  );
  assert.match(
    out,
    /^ {2}FAIL +clock +this machine is 3,\d{3} s behind the clock of destination late; set the clock/m,
  );
});

test('doctor names a Node.js that is too old, and what an installation left out', () => {
  assert.deepEqual(nodeFindings('20.14.9')[0]?.outcome, 'failed');
  assert.deepEqual(nodeFindings('22.0.0')[0]?.outcome, 'passed');
  const [found] = packageFindings(name => name !== 'azurite');
  assert.deepEqual([found?.outcome, found?.message], ['noted', 'azurite is not installed']);
});
