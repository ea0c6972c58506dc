import type { BlobHTTPHeaders } from '@azure/storage-blob';
import type { BlobWriteProperties, CommitOptions, Precondition } from '../sink.ts';

/** What Put Blob and Put Block List are sent with, in the SDK's words. */
export function writeOptions({ condition, properties }: CommitOptions) {
  const { metadata, tags, accessTier, encryptionScope } = properties;
  return {
    conditions: conditionsOf(condition),
    blobHTTPHeaders: httpHeadersOf(properties),
    ...(metadata && { metadata }),
    ...(tags && { tags }),
    ...(accessTier && { tier: accessTier }),
    ...(encryptionScope && { encryptionScope }),
  };
}

function conditionsOf(condition: Precondition): { ifNoneMatch: string } | { ifMatch: string } {
  return 'ifAbsent' in condition ? { ifNoneMatch: '*' } : { ifMatch: condition.ifMatch };
}

function httpHeadersOf(properties: BlobWriteProperties): BlobHTTPHeaders {
  const { contentType, contentEncoding, cacheControl, contentMd5 } = properties;
  const headers: BlobHTTPHeaders = {};
  if (contentType) headers.blobContentType = contentType;
  if (contentEncoding) headers.blobContentEncoding = contentEncoding;
  if (cacheControl) headers.blobCacheControl = cacheControl;
  if (contentMd5) headers.blobContentMD5 = Buffer.from(contentMd5, 'base64');
  return headers;
}
