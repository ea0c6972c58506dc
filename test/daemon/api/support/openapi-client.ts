import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Response as Answer, OpenApiDocument, Operation } from '../../../../src/daemon/api/openapi.ts';

export interface CallInput {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | readonly string[]>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface Called<Body = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

interface FoundOperation {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/**
 * A client made from the OpenAPI document that the server gives, and from nothing else:
 * it knows operations by their ids, and takes no answer that the document does not allow,
 * not even one with a key too many.
 */
export class OpenApiClient {
  readonly document: OpenApiDocument;
  readonly url: string;
  readonly #token: string | undefined;
  readonly #ajv: Ajv2020;
  readonly #operations = new Map<string, FoundOperation>();
  readonly #validators = new Map<string, ValidateFunction>();
  /** Operation and status of every answer that was checked. */
  readonly checked = new Set<string>();

  constructor(url: string, document: OpenApiDocument, token?: string) {
    this.url = url;
    this.document = document;
    this.#token = token;
    this.#ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(tightened({ ...document, $id: 'openapi' }) as object);
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        this.#operations.set(operation.operationId, { method: method.toUpperCase(), path, operation });
      }
    }
  }

  static async connect(url: string, token?: string): Promise<OpenApiClient> {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/openapi.json`, { headers });
    assert.equal(response.status, 200);
    return new OpenApiClient(url, (await response.json()) as OpenApiDocument, token);
  }

  get operationIds(): string[] {
    return [...this.#operations.keys()];
  }

  as(token: string | undefined): OpenApiClient {
    return new OpenApiClient(this.url, this.document, token);
  }

  /** Calls an operation, and checks request and answer against the document. */
  async call<Body = Record<string, unknown>>(
    operationId: string,
    input: CallInput = {},
  ): Promise<Called<Body>> {
    const response = await this.open(operationId, input);
    const text = await response.text();
    this.check(operationId, response.status, response.headers, text);
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson ? JSON.parse(text) : text) as Body,
    };
  }

  /** The answer as it comes, for streams. */
  open(operationId: string, input: CallInput = {}): Promise<Response> {
    const { method, path } = this.#operation(operationId);
    const { body, signal } = input;
    return fetch(this.url + this.#target(operationId, path, input), {
      method,
      headers: {
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...input.headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Fails unless the document allows the answer. */
  check(operationId: string, status: number, headers: Headers, text: string): void {
    const { path, method, operation } = this.#operation(operationId);
    const where = `${operationId} ${status}`;
    const answer = operation.responses[String(status)];
    assert.ok(answer !== undefined, `${where} is not in the document: ${text}`);
    if (status >= 400) checkCode(answer, text, where);
    for (const [name, header] of Object.entries(answer.headers ?? {})) {
      if (header['required'] === true) assert.ok(headers.has(name), `${where} has no header ${name}`);
    }
    if (answer.content === undefined) assert.equal(text, '', `${where} has a body`);
    else
      this.#checkBody(
        ['paths', path, method.toLowerCase(), 'responses', String(status)],
        answer,
        headers,
        text,
        where,
      );
    this.checked.add(where);
  }

  /** Fails unless the value has the shape of the component. */
  checkComponent(name: string, value: unknown): void {
    this.#checkValue(['components', 'schemas', name], value, name);
  }

  /** Fails unless the data of an event has the shape that the document names. */
  checkEvent(operationId: string, event: string, data: unknown): void {
    const { path, method } = this.#operation(operationId);
    const pointer = ['paths', path, method.toLowerCase(), 'responses', '200', 'content', 'text/event-stream'];
    this.#checkValue([...pointer, 'x-event-data', event], data, `${operationId} event ${event}`);
  }

  #checkBody(pointer: string[], answer: Answer, headers: Headers, text: string, where: string): void {
    const type = (headers.get('content-type') ?? '').split(';', 1)[0]!;
    assert.ok(answer.content?.[type] !== undefined, `${where} is ${type}, which is not in the document`);
    const value: unknown = type === 'application/json' ? JSON.parse(text) : text;
    this.#checkValue([...pointer, 'content', type, 'schema'], value, where);
  }

  #checkValue(pointer: readonly string[], value: unknown, where: string): void {
    const escaped = pointer.map(step => step.replaceAll('~', '~0').replaceAll('/', '~1'));
    const ref = `openapi#/${escaped.map(encodeURIComponent).join('/')}`;
    let validate = this.#validators.get(ref);
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: ref });
      this.#validators.set(ref, validate);
    }
    const isValid = validate(value);
    assert.ok(isValid, `${where}: ${this.#ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
  }

  #target(operationId: string, path: string, { path: values = {}, query = {} }: CallInput): string {
    const { operation } = this.#operation(operationId);
    for (const name of Object.keys(query)) {
      const isKnown = operation.parameters.some(
        parameter => parameter.in === 'query' && parameter.name === name,
      );
      assert.ok(isKnown, `${operationId} has no query ${name}`);
    }
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name]!));
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      for (const item of [value].flat()) search.append(name, String(item));
    }
    return search.size === 0 ? filled : `${filled}?${search}`;
  }

  #operation(operationId: string): FoundOperation {
    const found = this.#operations.get(operationId);
    assert.ok(found !== undefined, `${operationId} is not in the document`);
    return found;
  }
}

/** The code of a failure is among those that the document tells of the status. */
function checkCode({ description }: Answer, text: string, where: string): void {
  const code = /^\{"error":\{"code":"(\w+)"/.exec(text)?.[1];
  if (code !== undefined)
    assert.ok(description.includes(`\`${code}\``), `${where} is not documented with ${code}`);
}

/**
 * The schema with every object closed: what the document does not name is a mistake of
 * ours.
 */
function tightened(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(tightened);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, tightened(value)]));
  const isObject = copy['type'] === 'object' && copy['properties'] !== undefined;
  return isObject && copy['additionalProperties'] === undefined
    ? { ...copy, additionalProperties: false }
    : copy;
}
