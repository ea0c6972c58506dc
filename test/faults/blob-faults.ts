import type { Random } from '../simulation/random.ts';
import { azureError, type BlobAction, type BlobHook, type BlobRequest } from '../support/blob-proxy.ts';

export type FaultMode = '503' | '500 after apply' | 'response lost' | 'reset mid body' | 'delayed commit';
export const FAULT_MODES: readonly FaultMode[] = [
  '503',
  '500 after apply',
  'response lost',
  'reset mid body',
  'delayed commit',
];

const IMMEDIATE_MODES = FAULT_MODES.filter(mode => mode !== 'delayed commit');

/** A write that a reader can see. */
export function isCommit({ method, comp, blob }: BlobRequest): boolean {
  return method === 'PUT' && blob !== undefined && comp !== 'block';
}

export class BlobFaults {
  /** How often each was put in. */
  readonly counts: Record<FaultMode, number> = {
    '503': 0,
    '500 after apply': 0,
    'response lost': 0,
    'reset mid body': 0,
    'delayed commit': 0,
  };
  readonly #origin: string;
  #held: (() => void)[] = [];
  #delivered: Promise<unknown>[] = [];

  /** `origin` is where requests go behind the proxy. */
  constructor(origin: string) {
    this.#origin = origin;
  }

  async put(mode: FaultMode, request: BlobRequest): Promise<BlobAction> {
    this.counts[mode]++;
    switch (mode) {
      case '503':
        return azureError(503, 'ServerBusy', { 'retry-after-ms': '5' });
      case '500 after apply':
        await this.#deliver(request);
        return azureError(500, 'InternalError');
      case 'response lost':
        return 'reset-after-apply';
      case 'reset mid body':
        return 'reset';
      case 'delayed commit': {
        // Its sender may be gone when it arrives.
        await request.body();
        const released = new Promise<void>(resolve => this.#held.push(resolve));
        this.#delivered.push(released.then(() => this.#deliver(request)));
        return 'black-hole';
      }
    }
  }

  /** Lets what was delayed arrive. Resolves when it has been answered. */
  async deliverDelayed(): Promise<void> {
    for (const release of this.#held) release();
    await Promise.all(this.#delivered);
    this.#held = [];
    this.#delivered = [];
  }

  /**
   * A request meets a fault with this probability. Where `delays`, commits are delayed as
   * often.
   */
  hook(random: Random, probability: number, { delays }: { readonly delays: boolean }): BlobHook {
    return request => {
      if (delays && isCommit(request) && random.chance(probability))
        return this.put('delayed commit', request);
      return random.chance(probability) ? this.put(random.pick(IMMEDIATE_MODES), request) : undefined;
    };
  }

  async #deliver(request: BlobRequest): Promise<void> {
    const {
      host: _,
      connection: __,
      'content-length': ___,
      'transfer-encoding': ____,
      ...headers
    } = request.headers;
    const body = await request.body();
    const hasBody = request.method === 'PUT';
    const answer = await fetch(this.#origin + request.url, {
      method: request.method,
      headers: headers as Record<string, string>,
      ...(hasBody ? { body } : {}),
    });
    await answer.arrayBuffer();
  }
}
