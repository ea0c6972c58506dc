import { SluiceError } from '../../errors.ts';

/**
 * A name below `_sluice/`, as it stands in "reading
 * exports/_sluice/customers/latest.json".
 */
const OWN_BLOB = /(?:^|[ /])_sluice\/\S/;
const BACKUP = /_sluice\/[^/]+\/state\//;
const EXEMPT = 'exempt `_sluice/` from lifecycle rules, retention policies, legal holds and leases';

/**
 * Manifests and backups are no files of the user: an error about one says so, and what to
 * do about that.
 */
export function explainOwnBlob(error: SluiceError, doing: string): SluiceError {
  if (!OWN_BLOB.test(doing)) return error;
  const hint = hintFor(error, doing);
  if (hint === undefined) return error;
  const message = `${error.message}; Sluice keeps this blob for itself`;
  const { code, cause, retryable } = error;
  return new SluiceError(code, message, { cause, stage: 'destination', hint, retryable });
}

function hintFor({ code, hint }: SluiceError, doing: string): string | undefined {
  if (code === 'DESTINATION_PERMISSION') return `${hint}, for blobs below \`_sluice/\` too`;
  if (code !== 'DESTINATION_REFUSED') return undefined;
  if (BACKUP.test(doing)) return `${EXEMPT}, or take a new backup under another destination folder`;
  return `${EXEMPT}, and bring an archived blob back to an online tier; or set \`manifest: false\` for the activation`;
}
