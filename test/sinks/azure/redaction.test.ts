import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactorOf } from '../../../src/sinks/azure/redaction.ts';

test('hides a SAS token whole, its signature alone, and both URL-encoded once and twice', () => {
  const signature = 'Ab+c/dEf==';
  const token = `sv=2025-01-05&sp=rw&sig=${encodeURIComponent(signature)}`;
  const redact = redactorOf([token]);
  const encoded = encodeURIComponent(token);
  for (const text of [
    token,
    encoded,
    encodeURIComponent(encoded),
    signature,
    encodeURIComponent(signature),
  ]) {
    assert.equal(redact(`before ${text} after`), 'before (hidden) after');
  }
});

test('hides an account key, and signatures and keys that it was not told of', () => {
  const redact = redactorOf(['c2VjcmV0IGtleQ==']);
  assert.equal(redact('key c2VjcmV0IGtleQ=='), 'key (hidden)');
  assert.equal(redact('https://a/b?se=1&sig=other%2B&x=1'), 'https://a/b?se=1&sig=(hidden)&x=1');
  assert.equal(redact('AccountName=a;AccountKey=other==;x'), 'AccountName=a;AccountKey=(hidden);x');
  assert.equal(redact('Authorization: Bearer abc.def'), 'Authorization: Bearer (hidden)');
});
