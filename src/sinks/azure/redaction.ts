/** Takes credentials out of texts that other packages and the service made. */
export type Redact = (text: string) => string;

const HIDDEN = '(hidden)';
/** The signature of any SAS, plain or URL-encoded, also one that is not ours. */
const SIGNATURE = /(\bsig(?:=|%3D))[^&\s;"'<>`]+/gi;
const SECRET_FIELD = /(\b(?:AccountKey|SharedAccessSignature)\s*=\s*)[^;\s"'<>`]+/gi;
const AUTHORIZATION = /(\b(?:Bearer|SharedKey(?:Lite)?)\s+)[^\s"',;<>]+/gi;

/** Hides the secrets, whole and their parts, as they are, decoded, and URL-encoded. */
export function redactorOf(secrets: readonly string[]): Redact {
  const forms = secrets.flatMap(formsOf).filter(form => form.length >= 6);
  // A form that holds another must go first.
  const ordered = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return text => {
    let safe = text;
    for (const form of ordered) safe = safe.replaceAll(form, HIDDEN);
    return safe
      .replace(SIGNATURE, `$1${HIDDEN}`)
      .replace(SECRET_FIELD, `$1${HIDDEN}`)
      .replace(AUTHORIZATION, `$1${HIDDEN}`);
  };
}

function formsOf(secret: string): string[] {
  const signature = new URLSearchParams(secret.slice(secret.lastIndexOf('?') + 1)).get('sig');
  const parts = signature ? [secret, signature, signature.replaceAll(' ', '+')] : [secret];
  return parts.flatMap(part => [
    part,
    encodeURIComponent(part),
    encodeURIComponent(encodeURIComponent(part)),
  ]);
}
