import type { ServerResponse } from 'node:http';
import * as z from 'zod';
import type { ErrorCode } from '../../errors.ts';
import type { Operations } from '../operations.ts';
import type { Access, Caller } from './access-rules.ts';
import type { HttpLimits } from './limits.ts';
import type { Slots } from './slots.ts';

/**
 * A route as data: the same row gives the types of the handler, the checks of the
 * request, the OpenAPI document and the reference page.
 */

export type Tag = 'runs' | 'activations' | 'daemon';

export interface AnswerShape {
  readonly description: string;
  readonly contentType?: string;
  /** Absent where there is no body. */
  readonly schema?: z.ZodType;
  /** Headers that always come with it, and what they say. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The shape of each event's data by the event's name, for an event stream. */
  readonly events?: Readonly<Record<string, z.ZodType>>;
}

export interface RouteShape {
  /** Never changes: clients are generated from it. */
  readonly operationId: string;
  readonly method: 'GET' | 'POST';
  /** Parameters in braces. */
  readonly path: string;
  readonly access: Access;
  readonly tag: Tag;
  readonly summary: string;
  readonly description: string;
  /** By status. */
  readonly answers: Readonly<Record<number, AnswerShape>>;
  /** Beside those that every request can meet. */
  readonly errors: readonly ErrorCode[];
}

export type Answer =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | {
      readonly status: number;
      readonly contentType: string;
      readonly text: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Takes the response over, to its end. */
  | { readonly stream: (response: ServerResponse) => void };

export interface Services {
  readonly operations: Operations;
  readonly metrics: MetricsPage;
  readonly limits: HttpLimits;
  readonly waits: Slots;
  readonly eventStreams: Slots;
  readonly access: AccessFacts;
  readonly probes: Slots;
  /** JSON, without secrets, of anything that is answered. */
  readonly toJson: (value: unknown) => string;
  /** The document, as JSON. */
  readonly openApi: () => string;
}

/** What callers may be told of how the daemon is configured for them. */
export interface AccessFacts {
  readonly tokensRequired: boolean;
  /** `daemon.title`. */
  readonly title: string | undefined;
}

/** The metrics of the daemon, in the text format of Prometheus. */
export interface MetricsPage {
  /** @param sees which activations are in it; all without */
  render(
    sees?: (activation: string) => boolean,
  ): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** What a handler is given: a request that keeps to the shape of its route. */
export interface Call<Input> {
  readonly input: Input;
  /** Whether the caller may see more than anyone may. */
  readonly mayRead: boolean;
  readonly caller: Caller;
  /** Whether the caller sees the activation; absent where it sees all. */
  readonly sees?: ((activation: string) => boolean) | undefined;
  /** What the caller may see of everything. */
  readonly services: Services;
  /** Aborts when the client goes away and when the server closes. */
  readonly signal: AbortSignal;
}

interface Inputs<P extends z.ZodType, Q extends z.ZodType, H extends z.ZodType, B extends z.ZodType> {
  readonly params?: P;
  readonly query?: Q;
  /** Names in lower case. Others are let through. */
  readonly headers?: H;
  /** An empty body counts as `{}`. */
  readonly body?: B;
}

type Parsed<P extends z.ZodType, Q extends z.ZodType, H extends z.ZodType, B extends z.ZodType> = {
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly headers: z.output<H>;
  readonly body: z.output<B>;
};

export interface Route extends RouteShape, Inputs<z.ZodObject, z.ZodObject, z.ZodObject, z.ZodObject> {
  readonly handle: (call: Call<never>) => Promise<Answer> | Answer;
}

const NOTHING = z.strictObject({});
const ANYTHING = z.object({});

/** The schemas of a route's request, all of them. */
export function inputsOf(route: Route): Required<Pick<Route, 'params' | 'query' | 'headers' | 'body'>> {
  const { params = NOTHING, query = NOTHING, headers = ANYTHING, body = NOTHING } = route;
  return { params, query, headers, body };
}

/** Ties the types of a route's handler to its schemas. */
export function route<
  P extends z.ZodObject = typeof NOTHING,
  Q extends z.ZodObject = typeof NOTHING,
  H extends z.ZodObject = typeof ANYTHING,
  B extends z.ZodObject = typeof NOTHING,
>(
  definition: RouteShape &
    Inputs<P, Q, H, B> & {
      readonly handle: (call: Call<Parsed<P, Q, H, B>>) => Promise<Answer> | Answer;
    },
): Route {
  return definition as unknown as Route;
}
