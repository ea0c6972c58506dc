import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { AddressFault } from '../../src/addresses/address-fault.ts';
import { parseSasToken } from '../../src/addresses/sas-token.ts';

/** Base64 of 32 bytes, with every character that encoders change. */
const SIGNATURE = 'ab+/cdefghijklmnopqrstuvwxyz0123456789ABC+E=';
const ENCODED = encodeURIComponent(SIGNATURE);
const TOKEN = `sv=2025-01-05&st=2025-04-01T00%3A00%3A00Z&se=2999-05-01T00%3A00%3A00Z&sr=c&sp=rcw&spr=https%2Chttp&sig=${ENCODED}`;

const wrapped: Readonly<Record<string, string>> = {
  'as it was issued': TOKEN,
  'with colons in clear': TOKEN.replaceAll('%3A', ':'),
  'with a leading question mark': `?${TOKEN}`,
  'with white space and a line end around it': ` ${TOKEN}\r\n`,
  'with a byte order mark': `\ufeff${TOKEN}`,
  'broken over lines': TOKEN.replaceAll('&', '&\n  '),
  'in double quotes': `"${TOKEN}"`,
  'in single quotes': `'${TOKEN}'`,
  'in quotes with a question mark': `"?${TOKEN}"`,
  'in typographic quotes': `“${TOKEN}”`,
  'copied from HTML': TOKEN.replaceAll('&', '&amp;'),
  'copied from JSON': TOKEN.replaceAll('&', '\\u0026').replaceAll('=', '\\u003d'),
  'escaped for a shell': TOKEN.replaceAll('&', '\\&'),
  'with its signature decoded': TOKEN.replace(ENCODED, SIGNATURE),
  'with its plus decoded to a space': TOKEN.replace(ENCODED, SIGNATURE.replaceAll('+', ' ')),
  'with only the plus decoded': TOKEN.replaceAll('%2B', '+'),
  'with its signature encoded twice': TOKEN.replace(ENCODED, encodeURIComponent(ENCODED)),
  'with only the equals sign encoded twice': TOKEN.replace('%3D', '%253D'),
  'encoded twice': TOKEN.replaceAll('%', '%25'),
  'encoded as one text': encodeURIComponent(TOKEN),
  'decoded as a whole': decodeURIComponent(TOKEN),
  'without the padding': TOKEN.replace(/%3D$/, ''),
  'of a container URL': `https://acme.blob.core.windows.net/exports?${TOKEN}`,
};

for (const [how, text] of Object.entries(wrapped)) {
  test(`writes a token again as it was issued, given ${how}`, () => {
    assert.equal(parseSasToken(text).query, TOKEN);
  });
}

for (const [what, text, named] of [
  ['a quote inside', TOKEN.replace('&sr', '"&sr'), /quote/],
  ['one quote', `"${TOKEN}`, /quote/],
  ['an encoding that is broken', TOKEN.replace('%2B', '%2'), /encoded/],
  ['a time that is encoded wrongly', TOKEN.replaceAll('%3A', '%'), /encoded|not a time/],
  ['no signature', TOKEN.replace(/&sig.*/, ''), /no sig/],
  ['only its first parameter, as a shell leaves it', 'sv=2025-01-05', /no sig.*shell/],
  ['a signature alone', `sig=${ENCODED}`, /no sv/],
  ['no parameter', 'Y2FuYXJ5', /name=value/],
  ['a parameter twice', `${TOKEN}&sv=2024-01-01`, /sv twice/],
  ['a time that is none', TOKEN.replace(/se=[^&]*/, 'se=tomorrow'), /\(se\) that is not a time/],
] as const) {
  test(`refuses a token with ${what}, and shows nothing of it`, () => {
    assert.throws(
      () => parseSasToken(text),
      (error: AddressFault) => {
        assert.ok(error instanceof AddressFault);
        assert.match(error.message, named);
        assert.doesNotMatch(inspect(error), /ab\+|ab%2|cdefgh|Y2Fu/);
        return true;
      },
    );
  });
}
