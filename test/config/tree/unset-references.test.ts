import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { type LoadedConfig, loadConfig } from '../../../src/config/load.ts';

const TEXT = `version: 1
dataDirectory: \${DATA:-./data}
sources:
  a: { type: postgres, url: "\${URL_A}" }
  b: { type: postgres, url: "postgresql://reader:\${PASSWORD}@db/shop", connectTimeout: "\${PATIENCE}" }
destinations:
  sas: { type: azure-blob, accountUrl: "\${ACCOUNT}", container: "\${CONTAINER}", auth: { sasToken: "\${SAS}" } }
  key: { type: azure-blob, accountUrl: "https://\${ACCOUNT}.blob.core.windows.net", container: xxx, auth: { accountKey: "\${file:missing.txt}" } }
  text: { type: azure-blob, container: yyy, auth: { connectionString: "\${AZ}" } }
models:
  a: { source: a, sql: "\${file:query.sql}", primaryKey: [id] }
  b: { source: b, sql: select 1 }
activations:
  one: { model: a, destination: sas, fileName: x, format: { type: csv }, timezone: "\${ZONE}", maxFileRows: "\${ROWS}", maxFileSize: "\${SIZE}", notify: [{ webhook: "\${HOOK}", secret: "\${HOOK_SECRET}" }, { email: ["\${MAIL}"] }] }
  two: { model: b, destination: key, fileName: x, format: { type: csv } }
  three: { model: b, destination: text, fileName: x, format: { type: csv } }
daemon:
  port: "\${PORT}"
  tokens: { read: ["\${TOKEN}"] }
  smtp: { host: "\${HOST}", password: "\${SMTP}", from: "\${MAIL}" }
`;

function load(
  text: string,
  mayBeUnset?: (path: readonly (string | number)[]) => boolean,
  environment: Readonly<Record<string, string>> = {},
): LoadedConfig {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-unset-'));
  try {
    writeFileSync(join(folder, 'sluice.yaml'), text);
    return loadConfig({
      path: 'sluice.yaml',
      cwd: folder,
      environment,
      ...(mayBeUnset && { mayBeUnset }),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('where values are not needed, every reference may be missing, and each is listed once with its place', () => {
  const { config, unset } = load(TEXT, () => true);
  assert.equal(config.activations['one']?.model, 'a');
  assert.equal(unset.length, 21);
  assert.equal(unset.filter(({ message }) => message.includes('environment variable')).length, 19);
  assert.ok(
    unset.some(
      ({ line, key, message }) =>
        line === 4 &&
        key === 'sources.a.url' &&
        message === 'refers to the environment variable URL_A, which is not set',
    ),
  );
});

test('where values are needed, a missing reference is a problem as ever', () => {
  assert.throws(() => load(TEXT), /has 21 problems/);
  const needed = TEXT.replace('DATA:-./data', 'DATA');
  assert.throws(
    () => load(needed, ([section]) => section !== 'dataDirectory'),
    /one problem:\n.* dataDirectory refers/,
  );
});

test('where no value can stand for it, a missing reference is a problem, and other problems stay', () => {
  const choice = TEXT.replace('{ type: csv }, timezone', `{ type: csv, quote: "\${QUOTE}" }, timezone`);
  assert.throws(() => load(choice, () => true), /one problem:\n.*format\.quote refers to .* QUOTE/);
  assert.throws(() => load(`${TEXT}colour: red\n`, () => true), /one problem:\n.*colour is an unknown key/);
});

test('what is set and empty is as good as not set, but where an empty text will do', () => {
  const names = [...TEXT.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name!);
  const empty = Object.fromEntries(names.map(name => [name, '']));
  const { config, unset } = load(TEXT, () => true, empty);
  assert.equal(config.activations['one']?.model, 'a');
  const messages = unset.map(({ key, message }) => `${key} ${message}`);
  assert.ok(messages.includes('sources.a.url refers to the environment variable URL_A, which is empty'));
  assert.ok(
    messages.includes(
      'destinations.sas.auth.sasToken refers to the environment variable SAS, which is empty',
    ),
  );
  assert.ok(!messages.some(message => message.startsWith('sources.b.url')), 'a password may be empty');
  assert.throws(() => load(TEXT, undefined, { ...empty }), { code: 'CONFIG_INVALID' });
  const nullText = TEXT.replace('{ type: csv }, timezone', `{ type: csv, nullText: "\${NULL}" }, timezone`);
  assert.deepEqual(
    load(nullText, () => true, { NULL: '' })
      .unset.map(({ key }) => key)
      .filter(key => key.includes('nullText')),
    [],
  );
});
