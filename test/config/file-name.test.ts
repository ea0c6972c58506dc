import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { meetings, namePatterns } from '../../src/config/checks/blob-name-patterns.ts';
import {
  type FileKind,
  type FileNameOptions,
  normalizeFolder,
  PLACEHOLDERS,
  partName,
  resolveFileName,
} from '../../src/config/file-name.ts';
import type { SluiceError } from '../../src/errors.ts';

const BASE: FileNameOptions = {
  template: 'x',
  extension: '.csv',
  instant: new Date('2025-04-14T21:05:09.007Z'),
  run: '01JRUN',
  activation: 'act',
  model: 'customers',
  kind: 'full' as const,
  mode: 'snapshot',
};

function first(template: string, more: Partial<FileNameOptions> = {}): string {
  return partName(resolveFileName({ ...BASE, template, ...more }), 1);
}

function isRefused(check: () => unknown, pattern: RegExp): void {
  assert.throws(
    check,
    (error: SluiceError) => error.code === 'FILE_NAME_INVALID' && pattern.test(error.message),
  );
}

test('resolves the example of the specification', () => {
  assert.equal(first('{YY}-{MM}-{DD}_export'), '25-04-14_export.csv');
});

test('resolves every placeholder, case-sensitively', () => {
  assert.equal(first('{YYYY}{YY}{MM}{DD}-{HH}{mm}{ss}.{ms}'), '2025250414-210509.007.csv');
  assert.equal(first('{X}_{x}'), '1744664709_1744664709007.csv');
  assert.equal(first('{run}/{activation}/{model}/{mode}/{part}'), '01JRUN/act/customers/snapshot/00001.csv');
  isRefused(() => first('{yyyy}'), /unknown placeholder.*\{YYYY\}/);
  isRefused(() => first('a{'), /single \{/);
  isRefused(() => first('a}b'), /single \}/);
  isRefused(() => first('{}'), /unknown placeholder/);
});

test('names files by the wall clock of the time zone', () => {
  assert.equal(first('{DD}_{HH}', { timezone: 'Asia/Tokyo' }), '15_06.csv');
  assert.equal(first('{HH}', { instant: new Date('2025-01-01T00:00:00Z') }), '00.csv');
  const summer = new Date('2025-07-01T22:30:00Z');
  assert.equal(first('{MM}{DD}{HH}{mm}', { timezone: 'Europe/Paris', instant: summer }), '07020030.csv');
  assert.equal(first('{X}', { timezone: 'Asia/Tokyo' }), '1744664709.csv');
});

test('names files in UTC as the calendar of every other zone does', () => {
  const template = '{YYYY} {YY} {MM} {DD} {HH} {mm} {ss}';
  const instants = fc.date({ min: new Date('0001-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(instants, instant => {
      const [one, other] = ['UTC', 'Etc/UTC'].map(timezone =>
        resolveFileName({ ...BASE, template, instant, timezone }),
      );
      assert.deepEqual(one, other);
    }),
  );
});

test('adds the offset to the instant first', () => {
  assert.equal(first('{YYYY}{MM}{DD}', { timestampOffset: -14 * 86_400_000 }), '20250331.csv');
});

test('adds the extension when it is not there, and the compression to it', () => {
  assert.equal(first('a.csv'), 'a.csv');
  assert.equal(first('a.CSV'), 'a.CSV');
  assert.equal(first('a.csv', { extension: '.csv.gz' }), 'a.csv.gz');
  assert.equal(first('a.csv.gz', { extension: '.csv.gz' }), 'a.csv.gz');
  assert.equal(first('a.csv', { extension: '.csv.zst' }), 'a.csv.zst');
  assert.equal(first('a.csv.zst', { extension: '.csv.zst' }), 'a.csv.zst');
  assert.equal(first('a', { extension: '.parquet' }), 'a.parquet');
  assert.equal(first('a.txt'), 'a.txt.csv');
  isRefused(() => first('.csv'), /before its extension/);
  isRefused(() => first('a/.csv'), /before its extension/);
});

test('puts change, then part, then extension', () => {
  const name = resolveFileName({ ...BASE, template: 'a.csv', extension: '.csv.gz' });
  assert.equal(partName(name, 1, { change: 'added' }), 'a_added.csv.gz');
  assert.equal(partName(name, 2, { change: 'removed', folder: 'crm' }), 'crm/a_removed_part00002.csv.gz');
  assert.equal(partName(name, 123_456), 'a_part123456.csv.gz');
  const numbered = resolveFileName({ ...BASE, template: 'p{part}/a' });
  assert.equal(partName(numbered, 1, { change: 'updated' }), 'p00001/a_updated.csv');
  assert.equal(partName(numbered, 12), 'p00012/a.csv');
  assert.throws(() => partName(name, 0), TypeError);
});

test('refuses names that could leave the container or that the service refuses', () => {
  const cases: [string, RegExp][] = [
    ['../x', /segment \. or \.\./],
    ['a/./b', /segment \. or \.\./],
    ['a/%2E%2e/b', /segment \. or \.\./],
    ['/a', /start with/],
    ['a/', /end with/],
    ['a//b', /empty segment/],
    ['a\\b', /backslash/],
    ['a\nb', /control/],
    ['a\u0085b', /control/],
    ['a.', /ends with a dot/],
    ['a./b', /ends with a dot/],
    ['a\ud800', /not a character/],
    ['_sluice/x', /manifests/],
    ['x'.repeat(1025), /1024/],
    [`${'a/'.repeat(254)}b`, /254/],
  ];
  for (const [template, why] of cases) isRefused(() => first(template), why);
  assert.equal(first('x'.repeat(1020)).length, 1024);
  isRefused(() => first('x'.repeat(1021)), /1024/);
  assert.equal(first(`${'a/'.repeat(253)}b`).split('/').length, 254);
});

test('counts the folder and validates it likewise', () => {
  assert.equal(normalizeFolder('crm/'), 'crm/');
  assert.equal(normalizeFolder(''), '');
  for (const folder of ['/crm', 'a//b', '..', 'crm//', '/', 'a\\b', 'crm./', '{YYYY}']) {
    isRefused(() => normalizeFolder(folder), /must not/);
  }
  const name = resolveFileName({ ...BASE, template: 'x'.repeat(1018) });
  isRefused(() => partName(name, 1, { folder: 'crm' }), /1024/);
});

const piece = fc.oneof(
  fc.constantFrom(...Object.keys(PLACEHOLDERS).map(name => `{${name}}`)),
  fc.constantFrom(
    '/',
    '.',
    '..',
    '\\',
    '\u0001',
    '_',
    ' ',
    'é',
    '.csv',
    '.gz',
    '.zst',
    '_sluice',
    '_added',
    '_part00002',
  ),
  fc.string({ maxLength: 4 }),
);
const template = fc.array(piece, { minLength: 1, maxLength: 8 }).map(pieces => pieces.join(''));
const extension = fc.constantFrom('.csv', '.csv.gz', '.csv.zst', '.ndjson', '.parquet');
const folder = fc.constantFrom('', 'crm', 'a/b/');

test('a name is refused or stays below its folder, with its extension once', () => {
  fc.assert(
    fc.property(
      template,
      extension,
      folder,
      fc.integer({ min: 1, max: 200_000 }),
      (text, ending, prefix, part) => {
        let name: string;
        try {
          name = partName(resolveFileName({ ...BASE, template: text, extension: ending }), part, {
            folder: prefix,
          });
        } catch (error) {
          assert.equal((error as SluiceError).code, 'FILE_NAME_INVALID');
          return;
        }
        const url = new URL(
          `https://acme.blob.core.windows.net/container/${name.replaceAll('?', '_').replaceAll('#', '_')}`,
        );
        assert.ok(url.pathname.startsWith(`/container/${encodeURI(normalizeFolder(prefix))}`));
        assert.equal(url.pathname.split('/').length, name.split('/').length + 2);
        assert.ok(name.toLowerCase().endsWith(ending));
        assert.ok(!name.toLowerCase().endsWith(ending + ending));
      },
    ),
    { numRuns: 2000 },
  );
});

test('distinct parts and changes of one activation have distinct names', () => {
  const changes = [undefined, 'added', 'updated', 'removed'] as const;
  fc.assert(
    fc.property(
      fc.constantFrom('a', 'a_{part}', '{part}/x.csv', '{YYYY}'),
      fc.nat(99),
      fc.nat(99),
      (text, one, two) => {
        const name = resolveFileName({ ...BASE, template: text });
        const names = [one, two].flatMap(part =>
          changes.map(change => partName(name, part + 1, change === undefined ? {} : { change })),
        );
        assert.equal(new Set(names).size, one === two ? 4 : 8);
      },
    ),
  );
});

function meets(
  a: Partial<FileNameOptions>,
  b: Partial<FileNameOptions>,
  kinds: readonly FileKind[] = ['full', 'delta'],
): boolean {
  const [one, two] = [a, b].map(options => namePatterns({ ...BASE, folder: '', kinds, ...options }));
  const named = [one!, two!].map(patterns => ({ container: 'c', patterns }));
  return meetings(named).length > 0;
}

test('templates meet only when they could give the same text', () => {
  assert.ok(meets({ template: 'x' }, { template: 'x' }));
  assert.ok(meets({ template: 'x' }, { template: 'x.csv' }));
  assert.ok(meets({ template: '{MM}' }, { template: '{DD}' }));
  assert.ok(meets({ template: 'x_{YYYY}' }, { template: 'x_2025' }));
  assert.ok(meets({ template: 'x', mode: 'difference' }, { template: 'x_added' }));
  assert.ok(meets({ template: 'x' }, { template: 'x_part00002' }));
  assert.ok(meets({ template: 'x', mode: 'difference' }, { template: 'x_removed_part00007.csv' }));
  assert.ok(meets({ template: 'x_{part}' }, { template: 'x_00001' }));
  assert.ok(meets({ template: '{run}' }, { template: 'customers' }));
  for (const kind of ['full', 'delta']) {
    assert.ok(meets({ template: '{kind}/x' }, { template: `${kind}/x` }));
    assert.ok(meets({ template: 'x_{kind}_{MM}' }, { template: `x_${kind}_01` }));
  }
  assert.ok(!meets({ template: 'x_{kind}' }, { template: '{kind}_x' }));
  assert.ok(!meets({ template: '{kind}/x' }, { template: 'other/x' }));
  assert.ok(!meets({ template: '{kind}/x' }, { template: 'delta/x' }, ['full']));

  assert.ok(!meets({ template: 'x' }, { template: 'y' }));
  assert.ok(!meets({ template: 'x' }, { template: 'x', extension: '.parquet' }));
  assert.ok(!meets({ template: 'x' }, { template: 'x', extension: '.csv.gz' }));
  assert.ok(!meets({ template: 'x', mode: 'difference' }, { template: 'x' }));
  assert.ok(!meets({ template: 'x_{YYYY}' }, { template: 'x_{YY}' }));
  assert.ok(!meets({ template: 'x_{YYYY}' }, { template: 'x_abcd' }));
  assert.ok(
    !meets({ template: '{activation}', activation: 'a' }, { template: '{activation}', activation: 'b' }),
  );
  assert.ok(!meets({ template: '{YYYY}/x_{run}' }, { template: '{YYYY}/x_{run}' }));
});

test('templates that gave the same name in fact are always said to meet', () => {
  const parts = fc.constantFrom(
    'a',
    '0',
    '_',
    '{YY}',
    '{MM}',
    '{ms}',
    '{part}',
    '{model}',
    '{kind}',
    '_part00002',
    '_added',
    '1',
    '{x}',
  );
  const small = fc.array(parts, { minLength: 1, maxLength: 4 }).map(pieces => pieces.join(''));
  const instant = fc.date({ min: new Date('2001-09-10'), max: new Date('2030-01-01'), noInvalidDate: true });
  const mode = fc.constantFrom('snapshot', 'difference');
  const kind = fc.constantFrom<FileKind>('full', 'delta');
  const file = fc.record({ template: small, instant, mode, kind });
  fc.assert(
    fc.property(
      file,
      file,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      (a, b, partA, partB) => {
        const nameOf = (options: typeof a, part: number) => {
          const change = options.mode === 'difference' ? ({ change: 'added' } as const) : {};
          return partName(resolveFileName({ ...BASE, ...options }), part, change);
        };
        if (nameOf(a, partA) === nameOf(b, partB)) assert.ok(meets(a, b));
      },
    ),
    { numRuns: 3000 },
  );
});
