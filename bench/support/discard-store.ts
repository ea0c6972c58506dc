import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Content, FileReceiver, MemoryReceiver, type Receiver } from './body-receiver.ts';
import type { RequestHead } from './request-framer.ts';

/** Bodies up to this size are kept even when discarding: block lists, manifests. */
const SMALL_BYTES = 1024 * 1024;

export interface StoreAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Chunks of a body of `content-length` bytes. */
  readonly stream?: AsyncIterable<Buffer>;
}

export interface StoreCounts {
  requests: number;
  blocks: number;
  blockBytes: number;
  smallestBlockBytes: number;
  largestBlockBytes: number;
  commits: number;
  putBlobs: number;
  putBlobBytes: number;
  refused: number;
}

interface Piece {
  readonly bytes: number;
  readonly content: Content;
}

interface Blob {
  readonly pieces: readonly (Piece & { readonly id: string })[];
  readonly bytes: number;
  readonly etag: string;
  readonly lastModified: string;
  readonly headers: Readonly<Record<string, string>>;
}

const noCounts = (): StoreCounts => ({
  requests: 0,
  blocks: 0,
  blockBytes: 0,
  smallestBlockBytes: 0,
  largestBlockBytes: 0,
  commits: 0,
  putBlobs: 0,
  putBlobBytes: 0,
  refused: 0,
});

/**
 * What a blob endpoint knows of its blobs, without their contents unless it `keeps` them.
 */
export class DiscardStore {
  readonly #folder: string | undefined;
  readonly #blobs = new Map<string, Blob>();
  readonly #staged = new Map<string, Map<string, Piece>>();
  #files = 0;
  #etags = 0;
  counts = noCounts();

  constructor(keeps: boolean) {
    this.#folder = keeps ? mkdtempSync(path.join(tmpdir(), 'sluice-discard-')) : undefined;
  }

  reset(): void {
    this.#blobs.clear();
    this.#staged.clear();
    this.counts = noCounts();
  }

  close(): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Where the body of this request goes. */
  receive(head: RequestHead): Receiver | undefined {
    if (head.bodyBytes === 0) return undefined;
    if (this.#folder !== undefined && head.bodyBytes > SMALL_BYTES) {
      this.#files += 1;
      return new FileReceiver(path.join(this.#folder, String(this.#files)));
    }
    const discarded = this.#folder === undefined && /[?&]comp=block(&|$)/.test(head.url);
    return discarded || head.bodyBytes > SMALL_BYTES ? undefined : new MemoryReceiver();
  }

  answer(head: RequestHead, received: Receiver | undefined): StoreAnswer {
    this.counts.requests += 1;
    const { pathname, searchParams } = new URL(head.url, 'http://discard');
    const comp = searchParams.get('comp');
    const body = received?.finish();
    const piece = { bytes: head.bodyBytes, content: body?.content };
    const answer = this.#dispatch(head, pathname, searchParams, comp, piece, body?.md5);
    if (answer.status >= 400) this.counts.refused += 1;
    return answer;
  }

  #dispatch(
    head: RequestHead,
    name: string,
    query: URLSearchParams,
    comp: string | null,
    piece: Piece,
    md5: string | undefined,
  ): StoreAnswer {
    if (query.get('restype') === 'container') {
      if (comp === 'list') return this.#list(`${name}/`, query.get('prefix') ?? '');
      return { status: head.method === 'PUT' ? 201 : head.method === 'DELETE' ? 202 : 200 };
    }
    const sentMd5 = head.headers.get('content-md5');
    if (md5 !== undefined && sentMd5 !== undefined && md5 !== sentMd5) return refusal(400, 'Md5Mismatch');
    switch (head.method) {
      case 'PUT':
        if (comp === 'block') return this.#stage(name, query.get('blockid') ?? '', piece);
        if (comp === 'blocklist') return this.#commit(name, head, piece);
        if (comp === null) return this.#put(name, head, piece);
        return { status: comp === 'tags' ? 204 : 200 };
      case 'HEAD':
        return this.#get(name, head, false);
      case 'GET':
        return comp === 'blocklist' ? this.#blockList(name) : this.#get(name, head, true);
      case 'DELETE':
        this.#staged.delete(name);
        return this.#blobs.delete(name) ? { status: 202 } : refusal(404, 'BlobNotFound');
      default:
        return refusal(405, 'UnsupportedHttpVerb');
    }
  }

  #stage(name: string, id: string, piece: Piece): StoreAnswer {
    if (piece.bytes === 0) return refusal(400, 'InvalidHeaderValue');
    let staged = this.#staged.get(name);
    if (!staged) {
      staged = new Map();
      this.#staged.set(name, staged);
    }
    staged.set(id, piece);
    const { counts } = this;
    counts.smallestBlockBytes =
      counts.blocks === 0 ? piece.bytes : Math.min(counts.smallestBlockBytes, piece.bytes);
    counts.largestBlockBytes = Math.max(counts.largestBlockBytes, piece.bytes);
    counts.blocks += 1;
    counts.blockBytes += piece.bytes;
    return { status: 201 };
  }

  #commit(name: string, head: RequestHead, list: Piece): StoreAnswer {
    const unmet = this.#unmetCondition(name, head);
    if (unmet) return unmet;
    if (!Buffer.isBuffer(list.content)) return refusal(400, 'InvalidXmlDocument');
    const committed = new Map(this.#blobs.get(name)?.pieces.map(piece => [piece.id, piece]));
    const staged = this.#staged.get(name);
    const pieces: Blob['pieces'][number][] = [];
    for (const [, kind, id = ''] of list.content
      .toString()
      .matchAll(/<(Latest|Uncommitted|Committed)>([^<]*)</g)) {
      const piece =
        kind === 'Committed'
          ? committed.get(id)
          : (staged?.get(id) ?? (kind === 'Latest' ? committed.get(id) : undefined));
      if (!piece) return refusal(400, 'InvalidBlockList');
      pieces.push({ ...piece, id });
    }
    this.counts.commits += 1;
    return this.#publish(name, head, pieces);
  }

  #put(name: string, head: RequestHead, piece: Piece): StoreAnswer {
    const unmet = this.#unmetCondition(name, head);
    if (unmet) return unmet;
    this.counts.putBlobs += 1;
    this.counts.putBlobBytes += piece.bytes;
    return this.#publish(name, head, piece.bytes === 0 ? [] : [{ ...piece, id: '' }]);
  }

  #publish(name: string, head: RequestHead, pieces: Blob['pieces']): StoreAnswer {
    const kept = [...head.headers].filter(([header]) => /^x-ms-(meta-|blob-content-)/.test(header));
    const contentType = head.headers.get('x-ms-blob-content-type') ?? 'application/octet-stream';
    this.#etags += 1;
    const blob: Blob = {
      pieces,
      bytes: pieces.reduce((sum, piece) => sum + piece.bytes, 0),
      etag: `"0x${this.#etags.toString(16).toUpperCase().padStart(15, '0')}"`,
      lastModified: new Date().toUTCString(),
      headers: {
        'content-type': contentType,
        ...Object.fromEntries(kept.map(([header, value]) => [header.replace('x-ms-blob-', ''), value])),
      },
    };
    this.#blobs.set(name, blob);
    this.#staged.delete(name);
    return { status: 201, headers: { etag: blob.etag, 'last-modified': blob.lastModified } };
  }

  #unmetCondition(name: string, head: RequestHead): StoreAnswer | undefined {
    const blob = this.#blobs.get(name);
    if (head.headers.get('if-none-match') === '*' && blob) return refusal(409, 'BlobAlreadyExists');
    const etag = head.headers.get('if-match');
    if (etag !== undefined && etag !== '*' && etag !== blob?.etag) return refusal(412, 'ConditionNotMet');
    return undefined;
  }

  #get(name: string, head: RequestHead, withBody: boolean): StoreAnswer {
    const blob = this.#blobs.get(name);
    if (!blob) return refusal(404, 'BlobNotFound');
    const headers = {
      ...blob.headers,
      etag: blob.etag,
      'last-modified': blob.lastModified,
      'x-ms-blob-type': 'BlockBlob',
    };
    if (!withBody) return { status: 200, headers: { ...headers, 'content-length': String(blob.bytes) } };
    if (blob.pieces.some(piece => piece.content === undefined)) return refusal(501, 'ContentWasDiscarded');
    const range = /^bytes=(\d+)-(\d*)$/.exec(
      head.headers.get('x-ms-range') ?? head.headers.get('range') ?? '',
    );
    const from = Number(range?.[1] ?? 0);
    const to = Math.min(range?.[2] ? Number(range[2]) + 1 : blob.bytes, blob.bytes);
    if (from > to) return refusal(416, 'InvalidRange');
    const part = range ? { 'content-range': `bytes ${from}-${to - 1}/${blob.bytes}` } : {};
    return {
      status: range ? 206 : 200,
      headers: { ...headers, ...part, 'content-length': String(to - from) },
      stream: readPieces(blob.pieces, from, to),
    };
  }

  #blockList(name: string): StoreAnswer {
    const rows = (pieces: Iterable<readonly [string, Piece]>) =>
      [...pieces].map(([id, { bytes }]) => `<Block><Name>${id}</Name><Size>${bytes}</Size></Block>`).join('');
    const committed = rows((this.#blobs.get(name)?.pieces ?? []).map(piece => [piece.id, piece] as const));
    const staged = rows(this.#staged.get(name) ?? []);
    return xml(
      `<BlockList><CommittedBlocks>${committed}</CommittedBlocks><UncommittedBlocks>${staged}</UncommittedBlocks></BlockList>`,
    );
  }

  #list(container: string, prefix: string): StoreAnswer {
    const blobs = [...this.#blobs].map(([name, blob]) => ({ name: decodeURIComponent(name), blob }));
    const rows = blobs
      .filter(({ name }) => name.startsWith(container + prefix))
      .map(({ name, blob }) => {
        const properties = `<Last-Modified>${blob.lastModified}</Last-Modified><Etag>${blob.etag}</Etag><Content-Length>${blob.bytes}</Content-Length><BlobType>BlockBlob</BlobType>`;
        const escaped = name.slice(container.length).replace(/&/g, '&amp;').replace(/</g, '&lt;');
        return `<Blob><Name>${escaped}</Name><Properties>${properties}</Properties></Blob>`;
      });
    return xml(`<EnumerationResults><Blobs>${rows.join('')}</Blobs><NextMarker /></EnumerationResults>`);
  }
}

async function* readPieces(pieces: readonly Piece[], from: number, to: number): AsyncIterable<Buffer> {
  let start = 0;
  for (const { bytes, content } of pieces) {
    const first = Math.max(from - start, 0);
    const end = Math.min(to - start, bytes);
    start += bytes;
    if (first >= end || content === undefined) continue;
    if (Buffer.isBuffer(content)) yield content.subarray(first, end);
    else yield* createReadStream(content.file, { start: first, end: end - 1 }) as AsyncIterable<Buffer>;
  }
}

function refusal(status: number, code: string): StoreAnswer {
  const answer = xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
  return { ...answer, status, headers: { ...answer.headers, 'x-ms-error-code': code } };
}

function xml(body: string): StoreAnswer {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from(`<?xml version="1.0" encoding="utf-8"?>${body}`),
  };
}
