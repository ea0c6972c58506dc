/**
 * The programs of the guide for the library, in TypeScript's view and as they run: by the
 * built package, as a project has it that has installed it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { listRuns } from '../../src/library/keeping.ts';
import { createProject, type TestProject } from '../cli/support.ts';
import { ROOT } from './support/pages.ts';

const PAGE = readFileSync(new URL('docs/guide/library.md', ROOT), 'utf8');
const README = readFileSync(new URL('README.md', ROOT), 'utf8');

/** The programs, by the heading that they stand below. */
const PROGRAMS = new Map(
  [...PAGE.matchAll(/^## ([^\n]*)\n(?:(?!^## )[^\n]*\n)*?```ts\n(.*?)^```$/gms)].map(([, heading, text]) => [
    heading!,
    text!,
  ]),
);

let project: TestProject;
before(async () => {
  project = await createProject({
    sql: `create table customers (id int primary key, name text, country text);
      insert into customers values (1, 'Anna', 'FR'), (2, 'Bela', null)`,
  });
  const { accountUrl, accountKey, container } = project.container;
  const [, yaml = ''] = /^```yaml\n(.*?)^```$/ms.exec(PAGE) ?? [];
  const lake = `{ type: azure-blob, accountUrl: "${accountUrl}", container: ${container}, auth: { accountKey: "${accountKey}" } }`;
  project.configure(yaml.replace(/^( *lake:).*$/m, `$1 ${lake}`));
  const { cwd } = project;
  writeFileSync(join(cwd, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(cwd, 'node_modules'));
  symlinkSync(fileURLToPath(ROOT), join(cwd, 'node_modules/sluice'));
});
after(() => project.remove());

interface Ended {
  readonly code: number;
  readonly text: string;
}

async function node(...args: string[]): Promise<Ended> {
  const env = { ...process.env, WAREHOUSE_URL: project.database.url };
  const child = spawn(process.execPath, args, { cwd: project.cwd, env });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  const [code] = (await once(child, 'close')) as [number];
  return { code, text };
}

const END = '--- ended';

/** What each program prints, one after the other in one process. */
async function run(...headings: string[]): Promise<string[]> {
  const files = await Promise.all(
    headings.map(async (heading, index) => {
      const { code } = await transform(PROGRAMS.get(heading)!, { loader: 'ts', target: 'es2022' });
      const file = `./${headings.length}-${index}.js`;
      writeFileSync(join(project.cwd, file), `${code}console.log('${END}');`);
      return file;
    }),
  );
  writeFileSync(join(project.cwd, 'all.js'), files.map(file => `await import('${file}');`).join('\n'));
  const { code, text } = await node('all.js');
  assert.equal(code, 0, text);
  return text.split(`${END}\n`);
}

test('the programs of the page and of the README fit the types of the package', async () => {
  const [, readme = ''] = /^```ts\n(.*?)^```$/ms.exec(README) ?? [];
  const programs = [...PROGRAMS.values(), readme];
  const files = programs.map((text, index) => {
    const file = `program-${index}.ts`;
    writeFileSync(join(project.cwd, file), text);
    return file;
  });
  writeFileSync(join(project.cwd, 'misuse.ts'), MISUSE);
  const types = ['--types', 'node', '--typeRoots', fileURLToPath(new URL('node_modules/@types', ROOT))];
  const strict = [
    '--strict',
    '--noUncheckedIndexedAccess',
    '--noEmit',
    '--target',
    'es2022',
    '--module',
    'nodenext',
  ];
  const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', ROOT));
  const { code, text } = await node(compiler, ...strict, ...types, ...files, 'misuse.ts');
  assert.equal(code, 0, text);
});

/** Fields of the daemon and of tests are not a part of a request. */
const MISUSE = `
import { exportRun, type ResolvedActivation, planActivation, type RunRecord, type ServeOptions } from 'sluice';
declare const activation: ResolvedActivation;
declare const record: RunRecord;
const clock = { now: () => new Date() };
// @ts-expect-error
exportRun({ activation, record });
// @ts-expect-error
exportRun({ activation, clock });
// @ts-expect-error
exportRun({ activation, intercept: (parts: never) => parts });
// @ts-expect-error
exportRun({ activation, plans: true });
// @ts-expect-error
planActivation({ activation, clock });
// @ts-expect-error
export const options: ServeOptions = { load: () => { throw new Error() }, log: { pretty: false }, clock };
`;

test('the programs do what the page says', async () => {
  assert.deepEqual(await run('Run'), ['2 rows in 1 file\n', '']);
  await project.database.sql(`update customers set country = 'HU' where id = 2`);
  const headings = [...PROGRAMS.keys()].slice(1);
  const printed = await run(...headings);
  const of = (heading: string): string => printed[headings.indexOf(heading)]!;

  assert.match(of('Plan'), /^changes changes since generation 1 \{/);
  assert.match(of('Plan'), /updated: 1/);
  assert.match(of('Check and look'), /^good \[ 'customers-\S+\.csv' \]\n/);
  assert.match(of('Check and look'), /\[ 'id int32', 'name text', 'country text' \]/);
  assert.match(of('Check and look'), /\[ '2', 'Bela', 'HU' \]/);
  assert.match(of('Verify and history'), /^\S+ is good\n$/);
  assert.equal(of('State'), '1 2\ntrue\n');

  const { container } = project;
  assert.equal(of('A source of your own'), 'succeeded 3\n');
  const planets = String(await container.download('planets.csv'));
  assert.equal(planets, 'id,name,ringed\n1,Mercury,false\n2,Venus,false\n6,Saturn,true\n');
  assert.equal(of('An encoder of your own'), 'succeeded customers.txt\n');
  const rows = [
    ['1', 'Anna', 'FR'],
    ['2', 'Bela', 'HU'],
  ];
  const fixed = rows.map(row => `${row.map(value => value.padEnd(20)).join('')}\n`).join('');
  assert.equal(String(await container.download('customers.txt')), fixed);
  assert.equal(of('A sink of your own'), 'succeeded id,name,country\n1,Anna,FR\n2,Bela,HU\n\n');

  const { records } = await listRuns({ dataDirectory: join(project.cwd, '.sluice') });
  assert.deepEqual([...new Set(records.map(({ trigger }) => trigger))], ['library']);
});
