import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { inspect } from 'node:util';
import { resolveActivation } from '../../src/config/activation.ts';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { parse, yaml } from './support.ts';

const CANARY = 'cAnArY4711';

function shown(value: unknown): string {
  const error = value instanceof Error ? `${value.message} ${value.stack} ${String(value)}` : '';
  return `${error} ${inspect(value, { depth: 30, showHidden: true })} ${JSON.stringify(value)}`;
}

function assertSilent(value: unknown, what: string): void {
  const text = shown(value);
  const spellings = [CANARY, Buffer.from(CANARY).toString('base64'), Buffer.from(CANARY).toString('hex')];
  for (const spelling of spellings)
    assert.ok(!text.toLowerCase().includes(spelling.toLowerCase()), `${what}\n${text}`);
}

/** Whether accepted or refused, nothing that comes out shows the canary. */
function assertKept(text: string): void {
  let result: unknown;
  try {
    const loaded = parseConfig({ text, environment: { CANARY } });
    const names = Object.keys(loaded.config.activations);
    result = [loaded, ...names.map(name => resolveActivation(loaded.config, name))];
  } catch (error) {
    result = error;
  }
  assertSilent(result, text);
}

const SECRETS: readonly string[] = [
  `sources: { s: { type: postgres, url: "VALUE" } }`,
  `sources: { s: { type: postgres, url: "postgres://u:VALUE@h/d" } }`,
  `sources: { s: "VALUE" }`,
  `sources: "VALUE"`,
  `destinations: { d: { type: azure-blob, container: ccc, accountUrl: "https://a.b", auth: { sasToken: "VALUE" } } }`,
  `destinations: { d: { type: azure-blob, container: ccc, accountUrl: "https://a.b", auth: { sasToken: "sig=VALUE" } } }`,
  `destinations: { d: { type: azure-blob, container: ccc, accountUrl: "https://a.b?sig=VALUE", auth: { identity: default } } }`,
  `destinations: { d: { type: azure-blob, container: ccc, auth: { connectionString: "AccountName=a;AccountKey=VALUE" } } }`,
  `destinations: { d: { type: azure-blob, container: ccc, auth: { connectionString: "VALUE" } } }`,
  `destinations: { d: { type: azure-blob, container: ccc, auth: { accountKey: "VALUE!" } } }`,
  `destinations: { d: { type: azure-blob, container: ccc, auth: { accountKey: [ "VALUE" ] } } }`,
  `destinations: { d: { type: azure-blob, container: ccc, auth: "VALUE" } }`,
  `destinations: { d: { auth: { accountkey: "VALUE" } } }`,
  `activations: { a: { notify: [ { webhook: "VALUE" } ] } }`,
  `activations: { a: { notify: [ { webhook: "https://h/x?t=VALUE" } ] } }`,
  `activations: { a: { notify: [ "VALUE" ] } }`,
  `activations: { a: { notify: [ { webhook: "https://h/x", secret: "VALUE" } ] } }`,
  `activations: { a: { notify: [ { webhook: "https://h/x", secret: "VALUEVALUE" } ] } }`,
  `daemon: { tokens: { read: [ "VALUE" ], write: "VALUE" } }`,
  `daemon: { tokens: { read: [ "VALUEVALUE" ] } }`,
  `daemon: { smtp: { host: h, from: a@example.com, password: "VALUE" } }`,
  `daemon: { smtp: { password: { a: "VALUE" } } }`,
];

const REFERENCED: readonly string[] = [
  `dataDirectory: 5\nversion: VALUE`,
  `models: { m: { source: "VALUE", sql: select 1, primaryKey: [ "VALUE", "VALUE" ] } }`,
  `segments: { s: { model: "VALUE", where: "" } }`,
  `daemon: { port: "VALUE", bodyLimit: "VALUE", gracePeriod: "xVALUE", concurrency: VALUE }`,
  `destinations: { d: { type: azure-blob, container: "VALUE!", folder: "/VALUE", auth: { identity: "VALUE" } } }`,
  `activations: { a: { fileName: "{VALUE}", destination: "VALUE", model: "VALUE", format: { type: "VALUE" } } }`,
  `activations: { a: { fileName: "../VALUE", format: { type: csv, delimiter: "\\"VALUE" } } }`,
  `activations: { a: { fileName: x, timezone: "VALUE", runType: "VALUE", schedule: [ { cron: "VALUE" }, { every: "VALUE" } ] } }`,
  `activations: { a: { mapping: [ "VALUE", "VALUE" ], warnings: { removedRowsOver: "VALUE" }, "VALU": 1 } }`,
];

test('a secret that stands in the file is never shown, valid or not', () => {
  for (const text of SECRETS) assertKept(`version: 1\n${text.replaceAll('VALUE', CANARY)}`);
});

test('a value that came from a reference is never shown, wherever it stands', () => {
  for (const text of [...SECRETS, ...REFERENCED])
    assertKept(`version: 1\n${text.replaceAll('VALUE', `\${CANARY}`)}`);
  for (const text of [...SECRETS, ...REFERENCED]) {
    assertKept(`version: 1\n${text.replaceAll('VALUE', `\${NOT_SET:-${CANARY}}`)}`);
  }
});

test('syntax errors do not quote the text', () => {
  for (const text of [
    `url: *${CANARY}`,
    `url: "${CANARY}`,
    `url: !${CANARY} x`,
    `a: b: ${CANARY}`,
    `? [${CANARY}]\n: x`,
    `@${CANARY}`,
  ]) {
    assertKept(`version: 1\n${text}`);
  }
});

test('two activations that meet in a folder from a reference are refused without showing it', () => {
  const text = `${yaml()
    .replace('container: exports', `container: exports\n    folder: \${FOLDER}`)
    .trimEnd()}\n  other: { model: customers, destination: lake, fileName: customers, format: { type: csv } }\n`;
  assert.throws(
    () => parse(text, { FOLDER: CANARY }),
    error => {
      assertSilent(error, text);
      return true;
    },
  );
});

test('a valid configuration, its activations and its redactor show no secret', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-canary-'));
  try {
    writeFileSync(join(folder, 'token'), `${CANARY}${CANARY}\n`);
    const more = `daemon: { tokens: { write: [ "\${file:token}" ] } }`;
    writeFileSync(
      join(folder, 'sluice.yaml'),
      yaml({ notify: [{ webhook: `https://h/${CANARY}/x` }] }, more),
    );
    const environment = {
      WAREHOUSE_URL: `postgres://u:${CANARY}@h/d`,
      AZURE_SAS_TOKEN: `sv=1&sig=${CANARY}`,
    };
    const loaded = loadConfig({ path: join(folder, 'sluice.yaml'), environment });
    assertSilent(loaded, 'loaded');
    assertSilent(resolveActivation(loaded.config, 'export'), 'resolved');
    assert.equal(loaded.redactor.clean(`x ${CANARY} y`), 'x (hidden) y');
    assert.equal(loaded.redactor.clean(`x ${CANARY}${CANARY} y`), 'x (hidden) y');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
