import { SluiceError } from '../../errors.ts';
import type { CredentialFinding, CredentialUse } from '../sink.ts';
import { permissionName, type SasDescription } from './sas.ts';

/** Rights and time that a use will miss, beyond what makes every run fail. */
export function reviewSas(
  { permissions, expiresOn }: SasDescription,
  { setsTags, deletesCompletion, warnsBeforeExpiryMs, now }: CredentialUse,
): CredentialFinding[] {
  const found: CredentialFinding[] = [];
  const lacks = (letter: string): boolean => permissions !== undefined && !permissions.includes(letter);
  if (setsTags && lacks('t')) {
    const message = `the SAS token lacks ${permissionName('t')}, which blob.tags take; it has \`${permissions}\``;
    const error = new SluiceError('DESTINATION_PERMISSION', message, { stage: 'destination' });
    found.push({ outcome: 'failed', error });
  }
  if (lacks('d')) {
    const more = deletesCompletion ? ', and completion files of the run before,' : '';
    const message = `the SAS token lacks ${permissionName('d')}: parts of an earlier, larger run${more} cannot be deleted`;
    found.push({ outcome: 'warned', message });
  }
  const left = expiresOn && expiresOn.getTime() - now.getTime();
  if (left === undefined || left <= 0) return found;
  const expires = `expires at ${expiresOn!.toISOString()}`;
  if (left < warnsBeforeExpiryMs) {
    found.push({ outcome: 'warned', message: `the SAS token ${expires}` });
  } else if (!found.some(({ outcome }) => outcome === 'failed')) {
    found.push({ outcome: 'passed', message: `permissions ${permissions ?? 'of its policy'}, ${expires}` });
  }
  return found;
}
