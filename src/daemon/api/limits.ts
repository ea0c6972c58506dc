/** Bounds of the HTTP server: what one client may take from the others. */
export interface HttpLimits {
  /** Connections at a time; more are closed as they come. */
  readonly connections: number;
  /** From the begin of a connection or request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From there to the end of the body. */
  readonly requestTimeoutMs: number;
  /**
   * How long a connection may idle between two requests; longer than the minute of common
   * load balancers.
   */
  readonly keepAliveTimeoutMs: number;
  /** All headers and the path together. */
  readonly headerBytes: number;
  /** Requests at a time that wait for the end of a run. */
  readonly waits: number;
  /** Event streams at a time. */
  readonly eventStreams: number;
  /** Validations and previews at a time: each is a connection to a source. */
  readonly probes: number;
  /** How long a validation or preview may take. */
  readonly probeTimeoutMs: number;
  /**
   * How often an event stream shows that it lives; who takes nothing for so long is
   * dropped.
   */
  readonly keepAliveCommentMs: number;
  /** What may wait for a slow reader of an event stream before it is dropped. */
  readonly eventBacklogBytes: number;
  /** How long `close` lets requests end that have begun. */
  readonly closeTimeoutMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  connections: 2048,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 75_000,
  headerBytes: 16_384,
  waits: 1024,
  eventStreams: 256,
  probes: 8,
  probeTimeoutMs: 60_000,
  keepAliveCommentMs: 15_000,
  eventBacklogBytes: 1_048_576,
  closeTimeoutMs: 5_000,
};

/** The longest `?wait=`. */
export const MAX_WAIT_MS = 300_000;
