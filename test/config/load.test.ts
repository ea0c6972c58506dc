import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { ConfigInvalidError } from '../../src/config/checks/problems.ts';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import type { SluiceError } from '../../src/errors.ts';
import { ENVIRONMENT, parse, problems, refusal, yaml } from './support.ts';

function withFolder(files: Record<string, string | Buffer>, use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('reads the example of the specification as it stands', () => {
  const { config } = parse(
    `version: 1
dataDirectory: ./.sluice
sources:
  warehouse: { type: postgres, url: \${WAREHOUSE_URL} }
  events:
    type: json
    path: ./events/*.ndjson
destinations:
  lake:
    type: azure-blob
    accountUrl: https://acme.blob.core.windows.net
    container: exports
    folder: crm/
    auth:
      sasToken: \${AZURE_SAS_TOKEN}
models:
  customers:
    source: warehouse
    sql: select id, email from customers
    primaryKey: [id]
segments:
  french_customers: { model: customers, where: "country = 'FR'" }
activations:
  customers_to_lake:
    segment: french_customers
    destination: lake
    fileName: "{YYYY}/{MM}/{DD}/customers"
    format: { type: csv, delimiter: ";", header: true }
    runType: full_then_delta
    syncMode: difference
    mapping:
      - id
      - { from: last_name, to: last name }
    maxFileSize: 1GiB
    maxFileRows: 5000000
    schedule: [{ cron: "0 7 * * *", timezone: Europe/Paris }, { every: 15m }]
    overlap: skip
    warnings: { removedRowsOver: 20%, emptyResult: true, sasExpiresWithin: 7d, durationOver: 30m }
    notify: [{ webhook: \${OPS_WEBHOOK_URL} }]
`,
    { OPS_WEBHOOK_URL: 'https://ops.example.com/hook' },
  );
  const activation = config.activations['customers_to_lake'];
  assert.equal(activation?.maxFileSize, 2 ** 30);
  assert.deepEqual(activation?.mapping, [
    { from: 'id', to: 'id' },
    { from: 'last_name', to: 'last name' },
  ]);
  assert.ok(Object.isFrozen(activation?.mapping?.[0]));
});

test('reports every problem at once, with file, line, column and key, in the order of the file', () => {
  const error = refusal(`version: 1
sources:
  warehouse: { type: postgress }
destinations: {}
models:
  customers:
    source: warehous
    sql: 5
    colour: red
activations:
  export:
    model: custmers
    destination: lake
    fileName: "{FOO}"
    format: { type: csv, headr: true }
`);
  const seen = error.problems.map(({ line, column, key }) => `${line}:${column} ${key}`);
  assert.deepEqual(seen, [
    '3:16 sources.warehouse.type',
    '7:5 models.customers.source',
    '8:5 models.customers.sql',
    '9:5 models.customers.colour',
    '12:5 activations.export.model',
    '13:5 activations.export.destination',
    '14:5 activations.export.fileName',
    '15:26 activations.export.format.headr',
  ]);
  assert.equal(error.exitCode, 2);
  assert.match(
    error.message,
    /8 problems:\n {2}sluice\.yaml:3:16 sources\.warehouse\.type is "postgress"; expected/,
  );
  assert.match(error.message, /did you mean header\?/);
  assert.match(
    error.message,
    /is "warehous", which is not among sources; did you mean warehouse\? there are: warehouse/,
  );
});

test('names what was seen and what is allowed', () => {
  assert.deepEqual(
    problems(yaml({ onEmpty: 'wirte', maxFileRows: 'x', maxFileSize: '5 m', manifest: 'no' })),
    [
      'activations.export.onEmpty is "wirte"; expected one of write, skip, fail (did you mean write?)',
      'activations.export.maxFileRows is "x"; expected a whole number',
      'activations.export.maxFileSize is "5 m"; expected a size such as 500MB, 1GiB or a number of bytes, at least 1KiB',
      'activations.export.manifest is "no"; expected true, false or { keep: all, a count or an age }',
    ],
  );
  assert.deepEqual(problems(yaml({ fileName: undefined, mapping: [{ from: 'a' }] })), [
    'activations.export.fileName is required; expected text that is not empty',
    'activations.export.mapping[0].to is required; expected text that is not empty',
  ]);
});

test('resolves references after parsing, so that a value is never structure', () => {
  const evil = "x' } # {\n  evil: { type: json";
  const { config } = parse(`version: 1\nsources: { s: { type: json, path: "/p/\${V}" } }`, { V: evil });
  assert.deepEqual(Object.keys(config.sources), ['s']);
  assert.equal((config.sources['s'] as { path: string }).path, `/p/${evil}`);
});

test('knows defaults, escapes and files in references', () => {
  withFolder({ secret: 'from file\n' }, folder => {
    const paths = [`\${A}`, `\${B:-dflt}`, `\${E:-dflt}`, `$\${A}`, `\${file:secret}`, `x\${A}y\${A}`];
    const text = `version: 1\nsources:\n${paths
      .map((path, index) => `  s${index}: { type: json, path: ${path} }`)
      .join('\n')}`;
    const { config } = parseConfig({ text, directory: folder, environment: { A: '/a', E: '' } });
    const found = Object.values(config.sources).map(source => (source.type === 'json' ? source.path : ''));
    assert.deepEqual(found, [
      '/a',
      join(folder, 'dflt'),
      join(folder, 'dflt'),
      join(folder, `\${A}`),
      join(folder, 'from file'),
      join(folder, 'x/ay/a'),
    ]);
  });
});

test('a missing variable, a missing file and a broken reference are problems with line and key', () => {
  const found = refusal(`version: 1
sources:
  a: { type: postgres, url: \${NOT_SET} }
  b: { type: json, path: "\${file:/nowhere/x}" }
  c: { type: json, path: "\${oops" }
  d: { type: json, path: "\${a-b}" }
`).problems;
  assert.deepEqual(
    found.map(({ line, key }) => `${line} ${key}`),
    ['3 sources.a.url', '4 sources.b.path', '5 sources.c.path', '6 sources.d.path'],
  );
  assert.match(found[0]?.message ?? '', /variable NOT_SET, which is not set/);
  assert.match(found[1]?.message ?? '', /file \/nowhere\/x, which cannot be read \(ENOENT\)/);
});

test('a reference may stand for a number or a boolean', () => {
  const { config } = parse(yaml({ manifest: `\${M}`, maxFileRows: `\${N}` }, `daemon: { port: \${P} }`), {
    M: 'false',
    N: '12',
    P: '8080',
  });
  assert.equal(config.daemon.port, 8080);
  assert.equal(config.activations['export']?.manifest, false);
  assert.equal(config.activations['export']?.maxFileRows, 12);
  const kept = parse(yaml({ manifest: { keep: `\${K}` } }), { K: '7' }).config;
  assert.deepEqual(kept.activations['export']?.manifest, { keep: { runs: 7 } });
  assert.deepEqual(problems(`version: 1\ndaemon: { port: \${P} }`, { P: 'eighty' }), [
    'daemon.port is (hidden); expected a whole number',
  ]);
});

test('joins the files of a folder by section and resolves paths from there', () => {
  const files = {
    'a.yaml': 'version: 1\ndataDirectory: data\nsources: { s: { type: json, path: in.json } }',
    'b.yml': 'version: 1\nmodels: { m: { source: s } }\ndaemon:\n',
    'c.json': '{\n\t"models": { "n": { "source": "s" } },\n\t"daemon": { "port": 1 }\n}',
    'ignored.txt': 'nonsense: [',
    '.hidden.yaml': 'nonsense: [',
  };
  withFolder(files, folder => {
    const { config, files: read } = loadConfig({ path: folder, environment: {} });
    assert.deepEqual(Object.keys(config.models), ['m', 'n']);
    assert.equal(config.dataDirectory, join(folder, 'data'));
    assert.equal((config.sources['s'] as { path: string }).path, join(folder, 'in.json'));
    assert.deepEqual(
      read,
      ['a.yaml', 'b.yml', 'c.json'].map(name => join(folder, name)),
    );
  });
});

test('a name that is defined twice is a problem that names both places', () => {
  withFolder(
    {
      'a.yaml': 'version: 1\ndataDirectory: x\nsegments:\n  s: { model: m, where: a }',
      'b.yaml':
        'dataDirectory: y\nsegments:\n  s: { model: m, where: b }\nmodels: { m: { source: w, sql: a, sql: b } }\nsources: { w: { type: postgres, url: "postgres://h/d" } }',
    },
    folder => {
      assert.throws(
        () => loadConfig({ path: '.', cwd: folder, environment: {} }),
        (error: ConfigInvalidError) => {
          assert.deepEqual(
            error.problems.map(({ key, message }) => `${key} ${message}`),
            [
              'dataDirectory is defined twice, in a.yaml:2:1 and b.yaml:1:1; keep one',
              'segments.s is defined twice, in a.yaml:4:3 and b.yaml:3:3; keep one',
              'models.m.sql is defined twice, in b.yaml:4:27 and b.yaml:4:35; keep one',
            ],
          );
          return true;
        },
      );
    },
  );
});

test('says where a file is not valid YAML, without quoting it and without calling its names unknown', () => {
  withFolder(
    {
      'a.yaml': 'version: 1\nmodels: { m: { source: gone } }',
      'b.yaml': 'sources:\n  s: *canary\n  t: [',
      'c.yaml': Buffer.from([0xff, 0xfe]),
    },
    folder => {
      assert.throws(
        () => loadConfig({ path: folder, cwd: folder, environment: {} }),
        (error: ConfigInvalidError) => {
          assert.ok(error.problems.some(({ file, line }) => file === 'b.yaml' && line === 3));
          assert.ok(
            error.problems.some(({ file, message }) => file === 'c.yaml' && message === 'is not UTF-8 text'),
          );
          assert.doesNotMatch(error.message, /canary|gone/);
          return true;
        },
      );
    },
  );
});

test('refuses several documents, tags, unknown aliases, bombs of aliases and special keys', () => {
  const bomb = Array.from(
    { length: 12 },
    (_, i) => `  a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`,
  );
  const cases: [string, RegExp][] = [
    ['version: 1\n---\nversion: 1', /several YAML documents/],
    ['version: 1\nx: !tag y', /tag/],
    ['version: 1\nx: *nope', /alias/],
    ['version: 1\nsources: &a { b: *a }', /nested too deep/],
    [`version: 1\nsources:\n  a0: &a0 x\n${bomb.join('\n')}`, /repeats too much/],
    ['version: 1\n__proto__: { a: 1 }', /not plain text/],
    ['- a', /not a map/],
    ['', /not a map/],
  ];
  for (const [text, pattern] of cases) assert.match(refusal(text).message, pattern);
  assert.equal(({} as Record<string, unknown>)['a'], undefined);
});

test('says what to quote where a text lacks its quotes', () => {
  const cases: [string, RegExp][] = [
    [
      'fileName: {YYYY}/{MM}/customers',
      /:2:17 the file is not valid YAML: quote a text that starts with \{, such as "\{YYYY\}/,
    ],
    ['fileName: {YYYY}-x', /quote a text that starts with \{/],
    ['a: { fileName: {YYYY}/{MM}, b: c }', /quote a text that starts with \{/],
    ['a: {fileName: {YYYY}/x}', /quote a text that starts with \{/],
    ['list:\n  - {YYYY}/x', /quote a text that starts with \{/],
    ['where: [a] = b', /quote a text that starts with \[/],
    ['cron: */15 * * * *', /quote a text that starts with \*/],
    ['a: { cron: */15 * * * * }', /quote a text that starts with \*/],
    ['cron: * * * * *', /quote a text that starts with \*/],
    ['nullText: *', /quote a text that starts with \*/],
    ['cron: *canary', /quote a text that starts with \*/],
    ['a: %canary', /quote a text that starts with one of @ ` %/],
    ['a: @canary', /quote a text that starts with one of @ `/],
    ['a: `canary`', /quote a text that starts with one of @ `/],
    ['a: ,', /quote a text that starts with one of .* ,/],
    ['password: canary: x', /quote a text that holds ": "/],
    ['a: { password: canary: x }', /quote a text that holds ": "/],
    ['a: | canary', /quote a text that starts with \|/],
    ['a: > canary', /quote a text that starts with >/],
    [
      'delimiter: |',
      /delimiter is a block of text with nothing in it; quote a text that starts with \| or >/,
    ],
    ['a: !canary', /quote a text that starts with !/],
    ["where: 'it's canary'", /a single quote within single quotes is ''/],
    ['where: "a" = canary', /a double quote within double quotes is \\"/],
  ];
  for (const [text, pattern] of cases) {
    const { message } = refusal(`version: 1\n${text}`);
    assert.match(message, pattern, text);
    assert.doesNotMatch(message, /canary'|canary:|something here/, text);
  }
});

test('says what to quote where a text became something else', () => {
  const withFileName = (value: string): string =>
    refusal(yaml({ fileName: 'WRITTEN' }).replace('"WRITTEN"', value)).message;
  assert.match(
    withFileName('{YYYY}'),
    /fileName is a map with YYYY; expected .*; quote a text that starts with \{/,
  );
  assert.match(withFileName('[YYYY]'), /fileName is a list; expected .*; quote a text that starts with \[/);
  assert.match(
    withFileName('&YYYY'),
    /fileName is no value; expected .*; quote a text that starts with # or &/,
  );
});

test('names that objects have by nature are ordinary unknown names', () => {
  assert.match(
    problems(yaml({ model: 'constructor' })).join(),
    /model is "constructor", which is not among models/,
  );
});

test('a configuration that is not there has an error of its own', () => {
  const notFound = (error: SluiceError) => error.code === 'CONFIG_NOT_FOUND' && error.exitCode === 2;
  assert.throws(() => loadConfig({ path: '/nowhere/sluice.yaml' }), notFound);
  withFolder({}, folder => {
    mkdirSync(join(folder, 'sub.yaml'));
    assert.throws(() => loadConfig({ path: folder }), notFound);
  });
});

test('the redactor of a configuration knows its secrets', () => {
  const { redactor } = parse(yaml());
  assert.equal(redactor.clean('pw-of-warehouse abcDEF+123/456='), '(hidden) (hidden)');
  assert.ok(!redactor.clean(ENVIRONMENT.WAREHOUSE_URL).includes('pw-of'));
});

test('the redactor of a configuration knows secrets wherever they may stand', () => {
  const more = `daemon:
  tokens: { read: [read-token-of-16-characters], write: [write-token-of-16-characters] }
  smtp: { host: h, from: a@example.com, user: u, password: password-of-the-mail }
`;
  const notify = [{ webhook: 'https://h.example.com/path-of-the-hook', secret: 'secret-of-the-hook' }];
  const { redactor } = parse(yaml({ notify }, more));
  for (const secret of [
    'read-token-of-16-characters',
    'write-token-of-16-characters',
    'password-of-the-mail',
    'path-of-the-hook',
    'secret-of-the-hook',
    'pw-of-warehouse',
  ])
    assert.equal(redactor.clean(`x ${secret} x`), 'x (hidden) x');
});
