import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { sluice } from './support.ts';

test('init writes a configuration that validates, and overwrites nothing', async t => {
  const cwd = mkdtempSync(path.join(tmpdir(), 'sluice-init-'));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const written = await sluice(['init'], { cwd });
  assert.equal(written.code, 0, written.stderr);
  assert.match(written.stdout, /^sluice\.yaml is written\./);
  assert.doesNotMatch(written.stdout, /.{81}/);
  const text = readFileSync(path.join(cwd, 'sluice.yaml'), 'utf8');

  const again = await sluice(['init'], { cwd });
  assert.equal(again.code, 2);
  assert.match(again.stderr, /^error USAGE: sluice\.yaml exists already/);
  assert.equal(readFileSync(path.join(cwd, 'sluice.yaml'), 'utf8'), text);

  const env = {
    WAREHOUSE_URL: 'postgresql://reader:canary-word@db.example.com/shop',
    AZURE_SAS_TOKEN: 'sv=2025-01-05&sr=c&sp=rwd&se=2099-01-01T00:00:00Z&sig=canary%2Bsignature',
  };
  const good = await sluice(['validate', '--offline'], { cwd, env });
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /^customers_to_lake: good\n.* crm\/\d{4}\/\d\d\/\d\d\/customers\.csv$/m);
  assert.match(good.stdout, /_added\.csv\.gz, .*_updated\.csv\.gz, .*_removed\.csv\.gz$/m);
  assert.doesNotMatch(good.stdout, /^ +note /m);
  assert.doesNotMatch(good.stdout + good.stderr, /canary/);

  // Whoever takes the signs of comment away has a configuration too.
  const notify = text
    .replace(/^( *)# (notify:|daemon:)/gm, '$1$2')
    .replace(/^( *)#( {2,}(?:- \{|smtp:))/gm, '$1$2');
  assert.notEqual(notify, text);
  writeFileSync(path.join(cwd, 'notify.yaml'), notify);
  const urls = {
    OPS_WEBHOOK_URL: 'https://ops.example.com/canary-word',
    OPS_WEBHOOK_SECRET: 'canary-word-of-the-receiver',
    SLACK_WEBHOOK_URL: 'https://hooks.slack.com/services/canary-word',
    SMTP_PASSWORD: 'canary-word',
  };
  const told = await sluice(['--config', 'notify.yaml', 'validate', '--offline'], {
    cwd,
    env: { ...env, ...urls },
  });
  assert.equal(told.code, 0, told.stderr);

  const unset = await sluice(['validate', '--offline'], { cwd });
  assert.equal(unset.code, 0, unset.stderr);
  assert.match(unset.stdout, /REFERENCE_UNSET: .*WAREHOUSE_URL, which is not set/);
  assert.match(unset.stdout, /REFERENCE_UNSET: .*AZURE_SAS_TOKEN, which is not set/);
  const online = await sluice(['validate'], { cwd });
  assert.equal(online.code, 2);
  assert.match(online.stderr, /WAREHOUSE_URL, which is not set\n.*AZURE_SAS_TOKEN, which is not set\n/);

  const elsewhere = await sluice(['--config', 'no/such/folder/sluice.yaml', 'init'], { cwd });
  assert.equal(elsewhere.code, 2);
  assert.match(elsewhere.stderr, /^error USAGE: .* cannot be written \(ENOENT\)/);
});
