/**
 * The reference page of the HTTP API, from the same rows and schemas as the OpenAPI
 * document.
 */

import {
  errorsByStatus,
  type Operation,
  openApiDocument,
  type Parameter,
  type Schema,
} from '../../src/daemon/api/openapi.ts';
import type { Route, Tag } from '../../src/daemon/api/route.ts';
import { ROUTES } from '../../src/daemon/api/routes.ts';

const REF = '#/components/schemas/';

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(' ', '-');
}

function typeText(schema: Schema): string {
  const { $ref, title, type, format, items, anyOf, minimum, maximum } = schema;
  const choices = schema['enum'] as readonly unknown[] | undefined;
  if (typeof $ref === 'string') {
    const name = $ref.slice(REF.length);
    return `[${name}](#${anchor(name)})`;
  }
  if (typeof title === 'string') return title;
  if (choices !== undefined) return choices.map(code).join(', ');
  if (schema['const'] !== undefined) return code(schema['const']);
  if (Array.isArray(anyOf)) return [...new Set((anyOf as Schema[]).map(typeText))].join(' or ');
  if (type === 'array') return `list of ${typeText(items as Schema)}`;
  if (type === 'object') {
    const keys = Object.keys((schema['properties'] ?? {}) as object);
    return keys.length === 0 ? 'object' : `object with ${keys.map(code).join(', ')}`;
  }
  if (type === 'string') return format === 'date-time' ? 'instant' : 'text';
  if (type !== 'integer') return String(type ?? 'any');
  const bounded = typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER;
  return ['whole number', ...(bounded ? [`from ${String(minimum)} to ${maximum}`] : [])].join(' ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line), ''];
}

function defaultText({ default: value }: Schema): string {
  return value === undefined ? '' : code(value);
}

function parameterRows(parameters: readonly Parameter[]): string[][] {
  return parameters.map(({ name, in: place, required, schema, description = '' }) => {
    const byDefault = required ? 'required' : defaultText(schema);
    return [code(name), place, typeText(schema), byDefault, description];
  });
}

function bodyRows({ requestBody }: Operation): string[][] {
  const schema = requestBody?.content['application/json']?.schema;
  const properties = Object.entries((schema?.['properties'] ?? {}) as Record<string, Schema>);
  return properties.map(([name, property]) => [
    code(name),
    'body',
    typeText(property),
    defaultText(property),
    String(property['description'] ?? ''),
  ]);
}

function answerRows(route: Route, operation: Operation): string[][] {
  const answers = Object.entries(route.answers).map(([status, { description, headers = {}, events }]) => {
    const [[type, content] = ['', undefined]] = Object.entries(operation.responses[status]?.content ?? {});
    const schema = content?.['schema'] as Schema | undefined;
    const shown =
      schema === undefined
        ? 'no body'
        : type === 'application/json'
          ? typeText(ownShape(schema))
          : code(type);
    const told = Object.entries((content?.['x-event-data'] ?? {}) as Record<string, Schema>);
    const sent = told.map(([name, data]) => `Event ${code(name)}: ${typeText(data)}.`);
    const also = Object.entries(headers).map(([name, about]) => `Header ${code(name)}: ${about}`);
    return [status, shown, [description, ...also, ...(events === undefined ? [] : sent)].join(' ')];
  });
  const errors = [...errorsByStatus(route)].map(([status, codes]) => {
    return [String(status), typeText({ $ref: `${REF}ErrorAnswer` }), codes.map(code).join(', ')];
  });
  return [...answers, ...errors];
}

/** Without the failure that shares the status. */
function ownShape(schema: Schema): Schema {
  const [first] = (schema['anyOf'] ?? []) as Schema[];
  return first ?? schema;
}

function operationSection(route: Route, operation: Operation): string[] {
  const rows = [...parameterRows(operation.parameters), ...bodyRows(operation)];
  const token = { anyone: 'none', read: 'any', preview: '`preview` or `write`', write: '`write`' }[
    route.access
  ];
  return [
    `### ${route.summary}`,
    '',
    `\`${route.method} ${route.path}\` · operation \`${route.operationId}\` · token: ${token}`,
    '',
    route.description,
    '',
    ...(rows.length === 0 ? [] : table(['parameter', 'in', 'value', 'default', 'meaning'], rows)),
    ...table(['status', 'body', 'meaning'], answerRows(route, operation)),
  ];
}

function shapeSection(name: string, schema: Schema): string[] {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const required = (schema['required'] ?? []) as readonly string[];
  const rows = properties.map(([key, property]) => [
    code(key),
    typeText(property),
    required.includes(key) ? '' : 'may be absent',
    String(property['description'] ?? ''),
  ]);
  const [example] = (schema['examples'] ?? []) as unknown[];
  return [
    `### ${name}`,
    '',
    String(schema['description'] ?? ''),
    '',
    ...table(['key', 'value', '', 'meaning'], rows),
    ...(example === undefined ? [] : ['```json', JSON.stringify(example, null, 2), '```', '']),
  ];
}

const INTRODUCTION = `# HTTP API

<!-- Made from the routes by \`npx tsx docs/reference/generate.ts\`; do not edit. -->

\`sluice serve\` answers on \`daemon.host\` and \`daemon.port\`, by default http://127.0.0.1:7345. \`GET /openapi.json\` is this page as an
OpenAPI 3.1 document, for generating clients. Answers may gain keys from release to release: ignore those that you do not know.
Unknown query parameters and unknown keys of a body are refused.

**Tokens.** Without \`daemon.tokens\` the daemon listens on loopback only, and no request needs a token. With them every request but
\`/healthz\` and \`/readyz\` carries \`Authorization: Bearer TOKEN\`; tokens of \`read\` may look at everything but rows, those of
\`write\` may change as well, and see rows in a preview. Both can be rotated by a reload: list the old and the new one for a while.

**Host and Origin.** Without tokens, \`Host\` must be the address of the daemon, a loopback name or one of \`daemon.allowedHosts\`: web pages
could reach the daemon under a name of their own else. With a valid token any \`Host\` is accepted, such as the address of a pod. A browser
may call from a page of the daemon's own only. There is no CORS.

**Failures** have one shape, [ErrorAnswer](#erroranswer), and a status of 400 or above. \`code\` never changes: [all codes](errors.md), with what
to do. \`retryable\` says whether the same request may succeed later, and \`Retry-After\` when. \`X-Request-Id\` of every answer is the id that the log knows it by.

**Repeating a trigger.** Send an \`Idempotency-Key\` that is made of what is wanted (such as the name of the DAG and the date), and repeat the request with
it until there is an answer: however often it arrives, the run is made once. A key finds its run for 24 hours after the run's end at least (less
where \`daemon.history.keepFor\` is).

\`\`\`sh
run=$(curl -fsS --retry 5 --retry-all-errors -X POST -H "Authorization: Bearer $TOKEN" -H 'Idempotency-Key: customers-2025-04-14' \\
  http://127.0.0.1:7345/v1/activations/customers_to_lake/runs | jq -r .run)
until curl -fsS -H "Authorization: Bearer $TOKEN" "http://127.0.0.1:7345/v1/runs/$run?wait=60s" \\
  | jq -e '.state | IN("succeeded", "failed", "held", "cancelled", "recovered")'; do :; done
\`\`\`

**Audit.** Every call that changes something is a line of \`DATA_DIRECTORY/daemon/audit.ndjson\`, with the time, the token's place and
fingerprint (the first eight hexadecimal digits of the SHA-256 of the words "sluice token " with the token behind them), the remote address, what was asked and the status.
The file is readable by its owner only; past 10 MiB it is put aside, and four of those are kept. A line is in the file before its call is
answered, so that no end of the daemon loses it; it is not forced to the disk, so that a power cut may take the lines of about the last half
minute, and cut the last one short. Runs that were accepted, and what became of them, are forced to the disk, and outlive that.
`;

const HEADINGS: Readonly<Record<Tag, string>> = {
  runs: 'Runs',
  activations: 'Activations',
  daemon: 'The daemon',
};

/** The page docs/reference/http-api.md, in Markdown. */
export function apiReference(): string {
  const document = openApiDocument('');
  const operations = (tag: Tag): string[] =>
    ROUTES.filter(route => route.tag === tag).flatMap(route =>
      operationSection(route, document.paths[route.path]![route.method.toLowerCase()]!),
    );
  const tags = Object.entries(HEADINGS).flatMap(([tag, heading]) => [
    `## ${heading}`,
    '',
    ...operations(tag as Tag),
  ]);
  const shapes = Object.entries(document.components.schemas).flatMap(([name, schema]) =>
    shapeSection(name, schema),
  );
  return `${[INTRODUCTION, ...tags, '## Shapes', '', ...shapes].join('\n').trimEnd()}\n`;
}
