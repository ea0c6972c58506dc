import * as z from 'zod';
import { ERROR_KINDS, type ErrorCode } from '../../errors.ts';
import { type AnswerShape, inputsOf, type Route, type Tag } from './route.ts';
import { ROUTES } from './routes.ts';
import { COMPONENTS } from './schemas/component.ts';
import { errorAnswer } from './schemas/error-schema.ts';

/** JSON Schema 2020-12, as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, Response>>;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
}

export interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Schema>>;
  readonly content?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: Schema;
  readonly servers: readonly Schema[];
  readonly tags: readonly Schema[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Schema;
  };
}

const TAGS: Readonly<Record<Tag, string>> = {
  runs: 'Ask for runs, follow and stop them.',
  activations: 'See, check, pause and resume what can be run.',
  daemon: 'The daemon itself.',
};

const REF = '#/components/schemas/';

/** What each kind of request can meet beside what its route says. */
function errorsOf(route: Route): ErrorCode[] {
  return [
    'REQUEST_INVALID',
    'FORBIDDEN',
    'INTERNAL',
    'REQUEST_TIMEOUT',
    'HEADERS_TOO_LARGE',
    'SHUTTING_DOWN',
    ...(route.access === 'anyone' ? [] : (['STARTING', 'UNAUTHORIZED'] as const)),
    ...(route.method === 'POST' ? (['BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED'] as const) : []),
    ...route.errors,
  ];
}

/** Codes that a route may answer, by status. */
export function errorsByStatus(route: Route): Map<number, ErrorCode[]> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(errorsOf(route))) {
    const { status } = ERROR_KINDS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return new Map([...byStatus].sort(([a], [b]) => a - b));
}

/** The OpenAPI document of every route, from the schemas that check the requests. */
export function openApiDocument(version: string): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      version,
      description:
        'Asks the daemon for exports and tells how they went. Answers may gain keys: clients are to ignore those that they do not know. Every failure has the shape `ErrorAnswer`.',
      contact: { name: 'Sluice' },
      license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        read: { type: 'http', scheme: 'bearer', description: 'Any token of `daemon.tokens`.' },
        preview: { type: 'http', scheme: 'bearer', description: 'A token that may `preview` or `write`.' },
        write: { type: 'http', scheme: 'bearer', description: 'A token that may `write`.' },
      },
    },
  };
}

function componentSchemas(): Record<string, Schema> {
  const { schemas } = z.toJSONSchema(COMPONENTS, { uri: id => REF + id, io: 'input' });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => {
      const { $schema, $id, ...rest } = schema as Record<string, unknown>;
      return [id, rest];
    }),
  );
}

function operationOf(route: Route): Operation {
  const { operationId, tag, summary, description, access } = route;
  return {
    operationId,
    tags: [tag],
    summary,
    description,
    parameters: parametersOf(route),
    ...(route.method === 'POST' ? { requestBody: bodyOf(route) } : {}),
    responses: responsesOf(route),
    // Where the configuration has no token, none is needed.
    security: access === 'anyone' ? [] : [{ [access]: [] }, {}],
  };
}

function parametersOf(route: Route): Parameter[] {
  const { params, query, headers } = inputsOf(route);
  return [
    ...namedOf(params, 'path'),
    ...namedOf(query, 'query'),
    ...namedOf(headers, 'header').map(header => ({ ...header, name: titleCase(header.name) })),
  ];
}

function namedOf(object: z.ZodObject, place: Parameter['in']): Parameter[] {
  const { properties = {}, required = [] } = plain(object) as {
    properties?: Record<string, Schema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description: String(description) }),
    schema,
  }));
}

function bodyOf(route: Route): NonNullable<Operation['requestBody']> {
  return { required: false, content: { 'application/json': { schema: plain(inputsOf(route).body) } } };
}

function responsesOf(route: Route): Record<string, Response> {
  const responses: Record<string, Response> = {};
  for (const [status, answer] of Object.entries(route.answers)) responses[status] = answerOf(answer);
  for (const [status, codes] of errorsByStatus(route)) {
    const known = responses[status];
    const description = `${codes.map(code => `\`${code}\``).join(', ')}.`;
    responses[status] =
      known === undefined
        ? { description, headers: errorHeaders(status), content: json(refTo(errorAnswer)) }
        : {
            ...known,
            description: `${known.description} Or ${description}`,
            content: json({ anyOf: [known.content?.['application/json']?.['schema'], refTo(errorAnswer)] }),
          };
  }
  return responses;
}

function errorHeaders(status: number): Record<string, Schema> {
  const header = (name: string, description: string): Record<string, Schema> => ({
    [name]: { description, schema: { type: 'string' } },
  });
  if (status === 401) return header('WWW-Authenticate', 'Asks for a bearer token.');
  if (status === 409)
    return header('Retry-After', 'Seconds to wait, where what is in the way ends by itself.');
  return status === 429 || status === 503
    ? header('Retry-After', 'Seconds to wait before asking again.')
    : {};
}

function answerOf({
  description,
  contentType = 'application/json',
  schema,
  headers,
  events,
}: AnswerShape): Response {
  const described = Object.entries(headers ?? {}).map(([name, about]) => [
    name,
    { description: about, required: true, schema: { type: 'string' } },
  ]);
  const eventData = Object.entries(events ?? {}).map(([name, data]): [string, Schema] => [name, refTo(data)]);
  const ofEvents = events && {
    contentMediaType: contentType,
    contentSchema: { anyOf: eventData.map(([, data]) => data) },
  };
  return {
    description,
    ...(headers === undefined ? {} : { headers: Object.fromEntries(described) }),
    ...(schema === undefined
      ? {}
      : {
          content: {
            [contentType]: {
              // Clients know the data of events by it, and linters that its schemas are
              // used.
              schema: { ...refTo(schema), ...ofEvents },
              ...(events === undefined ? {} : { 'x-event-data': Object.fromEntries(eventData) }),
            },
          },
        }),
  };
}

function json(schema: Schema): NonNullable<Response['content']> {
  return { 'application/json': { schema } };
}

function refTo(schema: z.ZodType): Schema {
  const { id } = COMPONENTS.get(schema) ?? {};
  return id === undefined ? plain(schema) : { $ref: REF + id };
}

function plain(schema: z.ZodType): Schema {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    // Left out where the text of a query becomes something else, though a client wants to
    // know it all the same.
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type === 'default') jsonSchema.default = def.defaultValue;
    },
  }) as Record<string, unknown>;
  return rest;
}

function titleCase(header: string): string {
  return header.replace(/(^|-)[a-z]/g, letter => letter.toUpperCase());
}
