import { parseArgs } from 'node:util';
import { type BlockBlobClient, ContainerClient } from '@azure/storage-blob';

export interface PeerArguments {
  readonly databaseUrl: string;
  readonly query: string;
  readonly blob: BlockBlobClient;
}

/**
 * Blocks as large and as many at once as Sluice has them, so that the comparison is about
 * the rest.
 */
export const UPLOAD = { bufferSize: 8 * 1024 * 1024, maxConcurrency: 4 } as const;

/**
 * `--url postgresql://… --container-url https://…[?sas] [--rows N] [--blob NAME]`; all
 * rows by default. `--rows` filters by id: with LIMIT every scan would begin where the
 * last one stopped (synchronize_seqscans), and return other rows.
 */
export function peerArguments(defaultBlob: string): PeerArguments {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      'container-url': { type: 'string' },
      rows: { type: 'string' },
      blob: { type: 'string', default: defaultBlob },
    },
  });
  if (values.url === undefined || values['container-url'] === undefined) {
    throw new TypeError('--url and --container-url are needed');
  }
  if (values.rows !== undefined && !/^\d+$/.test(values.rows)) throw new TypeError('--rows is a number');
  return {
    databaseUrl: values.url,
    query: `select * from customers${values.rows === undefined ? '' : ` where id <= ${values.rows}`}`,
    blob: new ContainerClient(values['container-url']).getBlockBlobClient(values.blob),
  };
}
