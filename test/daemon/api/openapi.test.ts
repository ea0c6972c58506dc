import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { apiReference } from '../../../docs/reference/http-api-page.ts';
import type { OpenApiDocument, Operation, Schema } from '../../../src/daemon/api/openapi.ts';
import type { Operations } from '../../../src/daemon/operations.ts';
import { ERROR_KINDS, type ErrorCode, SluiceError } from '../../../src/errors.ts';
import type { OpenApiClient } from './support/openapi-client.ts';
import { Served } from './support/served.ts';

let served: Served;
let client: OpenApiClient;
let document: OpenApiDocument;
let operations: readonly (Operation & { readonly path: string; readonly method: string })[];

before(async () => {
  served = await Served.start();
  client = await served.client();
  document = client.document;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method })),
  );
});
after(() => served.dispose());

/** Every schema anywhere in a value, with where it stands. */
function* schemasIn(value: unknown, at = ''): Generator<[at: string, schema: Schema]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === 'schema') yield [`${at}/schema`, child as Schema];
    yield* schemasIn(child, `${at}/${key}`);
  }
}

test('the document has every route of the specification, and says so in OpenAPI 3.1', () => {
  assert.equal(document.openapi, '3.1.0');
  assert.deepEqual([document.info['title'], document.info['version']], ['Sluice', '1.2.3']);
  const routes = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort();
  assert.deepEqual(routes, [
    'GET /healthz',
    'GET /metrics',
    'GET /openapi.json',
    'GET /readyz',
    'GET /v1/activations',
    'GET /v1/activations/{name}',
    'GET /v1/activations/{name}/configuration',
    'GET /v1/activations/{name}/preview',
    'GET /v1/events',
    'GET /v1/me',
    'GET /v1/plans/{id}',
    'GET /v1/runs',
    'GET /v1/runs/{id}',
    'GET /v1/runs/{id}/events',
    'POST /v1/activations/{name}/pause',
    'POST /v1/activations/{name}/plan',
    'POST /v1/activations/{name}/resume',
    'POST /v1/activations/{name}/runs',
    'POST /v1/activations/{name}/validate',
    'POST /v1/reload',
    'POST /v1/runs/{id}/cancel',
  ]);
});

test('operations are named once, described, and declare the parameters of their path', () => {
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  for (const { operationId, path, summary, parameters, responses, tags } of operations) {
    assert.match(operationId, /^[a-z][A-Za-z]+$/);
    assert.ok(summary.length > 5 && tags.length === 1, operationId);
    const declared = parameters.filter(parameter => parameter.in === 'path').map(({ name }) => name);
    assert.deepEqual(
      declared,
      Array.from(path.matchAll(/\{(\w+)\}/g), match => match[1]),
      operationId,
    );
    for (const { name, required, description, in: place } of parameters) {
      assert.ok(description, `${operationId} ${name}`);
      assert.equal(required, place === 'path', `${operationId} ${name}`);
    }
    for (const [status, { description }] of Object.entries(responses))
      assert.ok(description, `${operationId} ${status}`);
  }
});

test('the document keeps the rules of common linters: licence, contact, descriptions, nothing unused', () => {
  const { license, contact, description } = document.info as Record<string, Record<string, string>>;
  assert.ok(license?.['name'] && (license['identifier'] ?? license['url']));
  assert.ok(contact?.['name'] ?? contact?.['url']);
  assert.ok(description);
  for (const { operationId, description } of operations) assert.ok(description, operationId);
  for (const { description } of document.tags) assert.ok(description);
  const references = new Set(referencesIn(document));
  const components = Object.keys(document.components.schemas);
  assert.deepEqual(
    components.filter(name => !references.has(`#/components/schemas/${name}`)),
    [],
  );
});

/** What is referred to from where OpenAPI has schemas, so from no extension. */
function* referencesIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === '$ref') yield child as string;
    else if (!key.startsWith('x-')) yield* referencesIn(child);
  }
}

test('every failure of every operation has the one shape', () => {
  for (const { operationId, responses } of operations) {
    const failures = Object.entries(responses).filter(([status]) => Number(status) >= 400);
    assert.ok(failures.length >= 5, operationId);
    for (const [status, { content }] of failures) {
      const schema = content?.['application/json']?.['schema'] as Schema;
      const shapes = (schema['anyOf'] as Schema[] | undefined) ?? [schema];
      assert.ok(
        shapes.some(({ $ref }) => $ref === '#/components/schemas/ErrorAnswer'),
        `${operationId} ${status}`,
      );
    }
  }
});

test('every schema is one of JSON Schema 2020-12, every reference leads somewhere, every example fits', () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  addFormats.default(ajv);
  ajv.addVocabulary(['x-event-data', 'openapi', 'info', 'servers', 'tags', 'paths', 'components']);
  ajv.addSchema({ $id: 'openapi', ...document } as object);
  const found: [string, Schema][] = [
    ...Object.entries(document.components.schemas).map(([id, schema]): [string, Schema] => [
      `#/components/schemas/${id}`,
      schema,
    ]),
    ...schemasIn(document.paths, '#/paths'),
  ];
  assert.ok(found.length > 100);
  let examples = 0;
  for (const [at, schema] of found) {
    assert.ok(ajv.validateSchema(schema as object), `${at}: ${ajv.errorsText()}`);
    // References are resolved against the document.
    const validate = ajv.compile({ $id: `openapi-${at.replaceAll(/\W/g, '-')}`, ...absolute(schema) });
    for (const example of (schema['examples'] ?? []) as unknown[]) {
      examples++;
      assert.ok(validate(example), `${at}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(example)}`);
    }
  }
  assert.ok(examples >= 10, `${examples} examples`);
});

/** The schema with references that lead into the document wherever it stands. */
function absolute<T>(schema: T): T {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')) as T;
}

test('whoever has no token is told how to send one', () => {
  const schemes = document.components.securitySchemes as Record<string, Record<string, string>>;
  assert.deepEqual(Object.keys(schemes), ['read', 'preview', 'write']);
  for (const { type, scheme } of Object.values(schemes)) assert.deepEqual([type, scheme], ['http', 'bearer']);
});

test('the answers of every operation are as the document says', async () => {
  const path = { name: 'customers', id: '' };
  path.id = (await client.call<{ run: string }>('triggerRun', { path })).body.run;
  const planned = { plan: path.id, activation: 'customers', state: 'queued', asked: { rows: 1 } } as const;
  served.operations.plans.set(path.id, { ...planned, requestedAt: '2025-04-14T07:00:00.000Z' });
  served.operations.become(path.id, 'failed', {
    attempt: 2,
    attempts: [
      {
        startedAt: '2025-04-14T07:00:00.000Z',
        endedAt: '2025-04-14T07:00:01.000Z',
        error: {
          code: 'SOURCE_TIMEOUT',
          category: 'timeout',
          stage: 'source',
          message: 'm',
          hint: 'h',
          retryable: true,
        },
      },
    ],
    warnings: [{ code: 'EMPTY_RESULT', message: 'nothing' }],
    files: [
      {
        name: 'a',
        change: 'added',
        part: 1,
        rows: 1,
        bytes: 2,
        appended: { fromRow: 0, fromByte: 0 },
        md5: '',
        sha256: '',
        etag: '',
      },
    ],
  });
  await client.call('pauseActivation', { path });
  // A stream of all changes has no end.
  for (const operationId of client.operationIds.filter(id => id !== 'streamChanges')) {
    const { status } = await client.call(operationId, { path });
    assert.ok([200, 202, 409].includes(status), `${operationId} ${status}`);
  }
  const validation = await client.call<{ passed: boolean; checks: Schema[] }>('validateActivation', { path });
  assert.equal(validation.body.passed, false);
  assert.deepEqual(validation.body.checks[2], {
    check: 'destination',
    outcome: 'failed',
    message: 'the SAS token lacks write (w)',
    error: {
      code: 'DESTINATION_PERMISSION',
      category: 'credentials',
      stage: 'destination',
      message: 'the SAS token lacks write (w)',
      hint: ERROR_KINDS.DESTINATION_PERMISSION.hint,
      retryable: false,
    },
  });
  const preview = await client.call('previewActivation', { path, query: { rows: 3 } });
  assert.deepEqual(preview.body['rows'], [
    ['1', null],
    ['2', ''],
    ['3', 'ü\u0000"'],
  ]);
  assert.equal((await client.call('previewActivation', { path, query: { rows: 1001 } })).status, 400);
  assert.equal((await client.call('previewActivation', { path, query: { rows: 0 } })).status, 400);
});

/**
 * What the daemon's operations reject with beyond what a request can be blamed for; the
 * client knows what is documented.
 */
const FAILURES: readonly [operationId: string, operation: keyof Operations, codes: readonly ErrorCode[]][] = [
  [
    'triggerRun',
    'trigger',
    ['STATE_WRITE_FAILED', 'STATE_DAMAGED', 'RUN_UNKNOWN', 'ACTIVATION_PAUSED', 'QUEUE_FULL'],
  ],
  ['cancelRun', 'cancel', ['STATE_WRITE_FAILED', 'STATE_DAMAGED', 'RUN_UNKNOWN']],
  ['pauseActivation', 'pause', ['STATE_WRITE_FAILED', 'NAME_UNKNOWN']],
  ['resumeActivation', 'resume', ['STATE_WRITE_FAILED', 'NAME_UNKNOWN']],
  ['getRun', 'run', ['STATE_DAMAGED']],
  ['listRuns', 'runs', ['STATE_DAMAGED']],
  [
    'validateActivation',
    'validate',
    ['RUN_HUNG', 'RUN_KILLED', 'RUN_OUT_OF_MEMORY', 'TOO_MANY_REQUESTS', 'CANCELLED'],
  ],
  [
    'previewActivation',
    'preview',
    [
      ...[
        'RUN_HUNG',
        'RUN_KILLED',
        'RUN_OUT_OF_MEMORY',
        'TOO_MANY_REQUESTS',
        'CANCELLED',
        'CONFIG_SECRET_MISSING',
      ],
      ...Object.keys(ERROR_KINDS).filter(code => /^SOURCE_(?!EMPTY)|^COLUMN_/.test(code)),
    ] as ErrorCode[],
  ],
];

test('every code that an operation may answer is documented with its status', async () => {
  const { run } = (await client.call<{ run: string }>('triggerRun', { path: { name: 'orders' } })).body;
  for (const [operationId, operation, codes] of FAILURES) {
    for (const code of codes) {
      served.operations.failures.set(operation, new SluiceError(code, 'it failed'));
      const { status, body } = await client.call<{ error: { code: string } }>(operationId, {
        path: { name: 'orders', id: run },
      });
      assert.deepEqual([status, body.error.code], [ERROR_KINDS[code].status, code], operationId);
    }
  }
});

test('an activation that resumes by itself says when to ask again', async () => {
  const call = () =>
    client.call<{ error: { retryable: boolean } }>('triggerRun', { path: { name: 'orders' } });
  served.operations.failures.set(
    'trigger',
    new SluiceError('ACTIVATION_PAUSED', 'paused', { retryable: true }),
  );
  const passing = await call();
  assert.deepEqual([passing.status, passing.body.error.retryable], [409, true]);
  assert.match(passing.headers.get('retry-after') ?? '', /^\d+$/);
  served.operations.failures.set('trigger', new SluiceError('ACTIVATION_PAUSED', 'paused'));
  const lasting = await call();
  assert.deepEqual([lasting.status, lasting.body.error.retryable], [409, false]);
  assert.equal(lasting.headers.get('retry-after'), null);
});

test('a reload that is refused says everything that is wrong, and changes nothing', async () => {
  served.operations.configText = '{"version":2,"activations":{"a b":{}}}';
  const { status, body } = await client.call<{ error: { code: string; message: string } }>('reload');
  assert.deepEqual([status, body.error.code], [422, 'CONFIG_INVALID']);
  assert.match(body.error.message, /version[\s\S]*a b/);
  assert.equal((await client.call('getActivation', { path: { name: 'customers' } })).status, 200);
});

test('the committed reference page is the one that the routes give', () => {
  const page = readFileSync(new URL('../../../docs/reference/http-api.md', import.meta.url), 'utf8');
  assert.equal(page, apiReference(), 'run: npx tsx docs/reference/generate.ts');
});

test('every route, parameter and shape is on the page', () => {
  const page = apiReference();
  for (const { method, path, operationId, parameters } of operations) {
    assert.ok(page.includes(`\`${method.toUpperCase()} ${path}\``), path);
    assert.ok(page.includes(`\`${operationId}\``), operationId);
    for (const { name } of parameters) assert.ok(page.includes(`| \`${name}\` | `), `${operationId} ${name}`);
  }
  for (const name of Object.keys(document.components.schemas))
    assert.ok(page.includes(`\n### ${name}\n`), name);
  for (const [, target] of page.matchAll(/\]\(#([^)]+)\)/g)) {
    assert.match(page, new RegExp(`^#+ ${target}$`, 'im'), `a link to ${target} leads nowhere`);
  }
});
