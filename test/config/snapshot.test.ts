import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { inspect } from 'node:util';
import { resolveActivation } from '../../src/config/activation.ts';
import type { ConfigInvalidError } from '../../src/config/checks/problems.ts';
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts';
import type { Secret } from '../../src/config/secrets.ts';
import { loadSnapshot } from '../../src/config/snapshot.ts';
import type { SluiceError } from '../../src/errors.ts';

const ENVIRONMENT = {
  ROWS: '500',
  TARGET: 'lake',
  LAKE_KEY: 'a2V5LW9mLXRoZS1sYWtl',
  HOOK: 'https://hooks.example.com/hook-of-the-daemon',
};

const FILES: Readonly<Record<string, string>> = {
  'a.yaml': `version: 1
dataDirectory: ./data
sources:
  db: { type: postgres, url: "\${file:url}" }
  other-db: { type: postgres, url: "\${file:other-url}" }
  events: { type: json, path: ./in/*.ndjson }
destinations:
  lake: { type: azure-blob, accountUrl: https://a.blob.core.windows.net, container: ccc, auth: { accountKey: "\${LAKE_KEY}" } }
  other-lake: { type: azure-blob, accountUrl: https://b.blob.core.windows.net, container: ccc, auth: { sasToken: sv=1&sig=written-out-4711 } }
daemon:
  tokens: { write: ["\${file:token}"] }
  smtp: { host: mail.example.com, from: a@example.com, password: "\${file:mail}" }
`,
  'b.yaml': `models:
  m: { source: db, sql: "select '$\${no reference}' as id", primaryKey: [id] }
  other-m: { source: other-db, sql: select 1 as id }
  entries: { source: events, primaryKey: [id] }
segments:
  some: { model: m, where: "id > 1" }
activations:
  one:
    segment: some
    destination: \${TARGET}
    fileName: one/{YYYY}
    format: { type: csv }
    maxFileRows: \${ROWS}
    runType: full_then_delta
    syncMode: upsert
    notify: [{ webhook: "\${HOOK}" }, { email: [b@example.com] }]
  entries: { model: entries, destination: lake, fileName: entries, format: { type: json } }
  other: { model: other-m, destination: other-lake, fileName: other, format: { type: csv } }
`,
  url: 'postgres://u:first-password@h/d',
  'other-url': 'postgres://u:other-password@h/d',
  token: 'token-of-the-daemon',
  mail: 'password-of-the-mail',
};

/** Loads a folder of files, which are then gone but for those that `later` names. */
function withLoaded(
  later: Readonly<Record<string, string>>,
  use: (loaded: LoadedConfig, folder: string) => void,
): void {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-snapshot-'));
  try {
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
    const loaded = loadConfig({ path: folder, environment: ENVIRONMENT });
    for (const name of Object.keys(FILES)) rmSync(join(folder, name));
    for (const [name, text] of Object.entries(later)) writeFileSync(join(folder, name), text);
    use(loaded, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function revealed(secret: unknown): string {
  return (secret as Secret).reveal();
}

test('a snapshot gives the activation again, though the files are gone, with what its references stand for now', () =>
  withLoaded({ url: 'postgres://u:second-password@h/d' }, loaded => {
    const before = resolveActivation(loaded.config, 'one');
    const { config, redactor } = loadSnapshot(loaded.snapshotOf('one').reveal(), ENVIRONMENT);
    const again = resolveActivation(config, 'one');
    assert.deepEqual({ ...again, notify: [] }, { ...before, notify: [] });
    assert.equal(again.maxFileRows, 500);
    assert.equal(again.model.sql, `select '\${no reference}' as id`);
    assert.match(revealed((before.source as { url: unknown }).url), /first-password/);
    assert.match(revealed((again.source as { url: unknown }).url), /second-password/);
    assert.equal(redactor.clean(`second-password ${ENVIRONMENT.LAKE_KEY}`), '(hidden) (hidden)');
  }));

test('a snapshot keeps paths relative to the folder that the files were in', () =>
  withLoaded({}, (loaded, folder) => {
    const { config } = loadSnapshot(loaded.snapshotOf('entries').reveal(), ENVIRONMENT);
    const { source, dataDirectory } = resolveActivation(config, 'entries');
    assert.equal(dataDirectory, join(folder, 'data'));
    assert.equal((source as { path: string }).path, join(folder, 'in/*.ndjson'));
  }));

test('a snapshot holds nothing of other activations, nor what only the daemon needs, nor what references stand for', () =>
  withLoaded({}, loaded => {
    const text = loaded.snapshotOf('one').reveal();
    assert.doesNotMatch(text, /other|written-out|entries\/|HOOK|file:token|file:mail|smtp|example\.com/);
    assert.doesNotMatch(text, /first-password|a2V5LW9mLXRoZS1sYWtl|hook-of-the-daemon/);
    assert.match(loaded.snapshotOf('other').reveal(), /written-out-4711/);
    assert.doesNotMatch(inspect(loaded.snapshotOf('other')), /written-out/);
  }));

test('a reference that no longer resolves matters to those alone that need it, and is named where it stands', () =>
  withLoaded({ url: FILES.url! }, loaded => {
    loadSnapshot(loaded.snapshotOf('one').reveal(), ENVIRONMENT);
    assert.throws(
      () => loadSnapshot(loaded.snapshotOf('other').reveal(), ENVIRONMENT),
      (error: ConfigInvalidError) =>
        error.code === 'CONFIG_INVALID' &&
        /a\.yaml:5:\d+ sources\.other-db\.url refers to the file .*other-url/.test(error.message) &&
        error.problems.length === 1,
    );
  }));

test('what references stand for now is checked again', () =>
  withLoaded({ url: FILES.url! }, loaded => {
    const snapshot = loaded.snapshotOf('one').reveal();
    assert.throws(
      () => loadSnapshot(snapshot, { ...ENVIRONMENT, ROWS: 'many', TARGET: 'sea' }),
      (error: ConfigInvalidError) =>
        error.problems.map(({ key }) => key).join() ===
        'activations.one.destination,activations.one.maxFileRows',
    );
  }));

test('a snapshot of an activation that is not there knows none', () =>
  withLoaded({}, loaded => {
    for (const name of ['nothing', 'constructor', '__proto__']) {
      const { config } = loadSnapshot(loaded.snapshotOf(name).reveal(), ENVIRONMENT);
      assert.throws(
        () => resolveActivation(config, name),
        (error: SluiceError) => error.code === 'NAME_UNKNOWN',
      );
    }
  }));
