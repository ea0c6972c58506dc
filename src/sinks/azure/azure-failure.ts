import type { WebProxy } from '../../addresses/proxies.ts';
import type { BlobWriteProperties } from '../sink.ts';
import type { Redact } from './redaction.ts';
import type { AttemptVerdict } from './retry.ts';
import type { SasDescription } from './sas.ts';

/** What can be told from an error of the SDK, whichever of its packages made it. */
export interface AzureFailure extends AttemptVerdict {
  readonly status?: number | undefined;
  /** Azure's code, or that of the socket. */
  readonly code?: string | undefined;
  readonly requestId?: string | undefined;
  /** What answered, as it calls itself. */
  readonly server?: string | undefined;
  /** The clock of the service, as its answer gave it. */
  readonly serviceTime?: Date | undefined;
  /**
   * The request cannot have had an effect, though it failed in a way that may be
   * repeated.
   */
  readonly neverDone: boolean;
}

export interface FailureContext {
  /** What was being done, as in "staging a block of exports/a.csv". */
  readonly doing: string;
  /** The letter of the permission that it needs, beside what its properties need. */
  readonly permission: string;
  /** What the request gave the blob. */
  readonly properties?: BlobWriteProperties | undefined;
  readonly redact: Redact;
  readonly sas?: SasDescription | undefined;
  /** URL of the container. */
  readonly url?: string | undefined;
  /** What the request went through. */
  readonly proxy?: WebProxy | undefined;
}
