import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseConfig } from '../src/config/load.ts';
import { SluiceError } from '../src/errors.ts';
import { readTextFile } from '../src/text-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-text-'));
after(() => rmSync(folder, { recursive: true }));

function written(bytes: Buffer | string): string {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  return path;
}

test('a byte order mark is no part of a text', () => {
  assert.equal(readTextFile(written('\ufeffselect 1\r\n')), 'select 1\r\n');
});

test('another encoding is named', () => {
  for (const text of ['\ufeffselect 1', 'select 1']) {
    for (const big of [false, true]) {
      const bytes = Buffer.from(text, 'utf16le');
      assert.throws(() => readTextFile(written(big ? bytes.swap16() : bytes)), /is UTF-16 text/);
    }
  }
  assert.throws(() => readTextFile(written(Buffer.from('caf\xe9', 'latin1'))), /is not UTF-8 text/);
});

test('references read files and variables of any editor', () => {
  written('\ufeffpostgres://u@h/d\r\n');
  const text = `version: 1\nsources: { s: { type: postgres, url: "\${file:file}" }, t: { type: postgres, url: "\${URL}" } }`;
  const environment = { URL: '\ufeffpostgres://u@other/d' };
  const { sources } = parseConfig({ text, environment, directory: folder }).config;
  const hosts = Object.values(sources).map(
    source => source.type === 'postgres' && source.address.hosts[0]?.host,
  );
  assert.deepEqual(hosts, ['h', 'other']);
});

test('what nobody would see in a message is shown', () => {
  const { message } = new SluiceError('SOURCE_QUERY_INVALID', 'near "\ufeffselect\u200b"\r\n\tat \u0007');
  assert.equal(message, 'near "<U+FEFF>select<U+200B>"<U+000D>\n\tat <U+0007>');
});
