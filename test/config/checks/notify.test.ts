import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, problems, yaml } from '../support.ts';

const WEBHOOK = 'https://ops.example.com/hook-4711';
const notify = (entry: Record<string, unknown>): string => yaml({ notify: [{ webhook: WEBHOOK, ...entry }] });

test('a target is told of warnings, failures and held runs unless it says otherwise', () => {
  const { config } = parse(yaml({ notify: [{ webhook: WEBHOOK }, { webhook: WEBHOOK, on: ['succeeded'] }] }));
  assert.deepEqual(
    config.activations['export']?.notify.map(({ on }) => on),
    [['warnings', 'failed', 'held'], ['succeeded']],
  );
});

const REFUSED: [what: string, entry: Record<string, unknown>, key: string, message: RegExp][] = [
  ['an unknown event', { on: ['success'] }, 'on', /did you mean succeeded|succeeded/],
  ['no event', { on: [] }, 'on', /at least one of succeeded/],
  ['an unknown style', { style: 'team' }, 'style', /teams/],
  ['a header of its own', { headers: { 'Content-Type': 'text/plain' } }, 'headers', /other than Host/],
  ['a header that is no name', { headers: { 'a b': 'x' } }, 'headers', /name of a header/],
  ['a header with a line break', { headers: { a: 'key-4711\nb: c' } }, 'headers', /without line breaks/],
];

for (const [what, entry, key, message] of REFUSED) {
  test(`${what} is refused, with its place and without the value of a secret`, () => {
    const found = problems(notify(entry));
    assert.equal(found.length, 1, found.join('\n'));
    assert.ok(found[0]!.startsWith(`activations.export.notify[0].${key}`), found[0]);
    assert.match(found[0]!, message);
    assert.doesNotMatch(found[0]!, /4711/);
  });
}

test('values of headers are secrets', () => {
  const { config, redactor } = parse(notify({ headers: { 'aeg-sas-key': 'key-of-event-grid' } }));
  assert.doesNotMatch(JSON.stringify(config), /key-of-event-grid/);
  assert.doesNotMatch(redactor.clean('answered 400: key-of-event-grid'), /key-of-event-grid/);
});

test('publicUrl is the URL of a page', () => {
  parse(yaml({}, 'daemon: { publicUrl: "https://sluice.example.com/x/" }'));
  const [found = ''] = problems(yaml({}, 'daemon: { publicUrl: "sluice.example.com" }'));
  assert.match(found, /^daemon\.publicUrl .*https URL/);
});
