import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, problems, yaml } from '../support.ts';

const control = (name: string, content = ''): Record<string, unknown> => ({ control: { name, content } });

const REFUSED: [what: string, completion: Record<string, unknown>, message: RegExp][] = [
  ['nothing', {}, /completion has neither success nor control/],
  ['a folder in success', { success: 'a/_SUCCESS' }, /success is "a\/_SUCCESS"; it lies in the folder/],
  ['a file in success', { success: '{file}.ok' }, /success holds \{file\}/],
  ['dots in success', { success: '..' }, /success is "\.\."/],
  ['an unknown placeholder in success', { success: '{day}' }, /success .*unknown placeholder/],
  ['an unknown placeholder in a name', control('{day}.done'), /control\.name .*unknown placeholder/],
  ['a part in a name', control('{part}.done'), /control\.name .*must not hold \{part\}/],
  [
    'an unknown placeholder in the content',
    control('x.done', '{size}'),
    /content holds the unknown placeholder \{size\}/,
  ],
  [
    'a checksum of one file for all',
    control('x.done', '{sha256}'),
    /content holds \{sha256\}, which is of one file/,
  ],
  [
    'a checksum that is not made',
    control('{file}.ctl', '{md5}'),
    /content holds \{md5\}, which files do not have; add md5 to format\.checksums/,
  ],
  [
    'the name of the file itself',
    control('{file}'),
    /control\.name could give the same blob as activations\.export\.fileName/,
  ],
  [
    'the name of success',
    { success: 'ok', ...control('ok') },
    /control\.name could give the same blob as activations\.export\.completion\.success/,
  ],
  ['a name in the folder of manifests', control('_sluice/x'), /kept for manifests/],
];

for (const [what, completion, message] of REFUSED) {
  test(`completion with ${what} is refused at load, with its place`, () => {
    const found = problems(yaml({ completion }));
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found.join('\n'), message);
  });
}

test('a checksum that is asked for may be named, and one that is left out may not', () => {
  const asked = (checksums: readonly string[], content: string): string[] => {
    const text = yaml({ format: { type: 'csv', checksums }, completion: control('{file}.ctl', content) });
    try {
      parse(text);
      return [];
    } catch {
      return problems(text);
    }
  };
  assert.deepEqual(asked(['md5'], '{md5}'), []);
  assert.match(asked(['md5'], '{sha256}').join(), /add sha256 to format\.checksums/);
  assert.match(asked(['md5', 'md5'], '').join(), /each checksum once/);
  assert.match(asked([], '').join(), /one or more of crc64, sha256, md5/);
});

test('a checksum is refused where runs append to a file, of which none is made', () => {
  const insert = { runType: 'full_then_delta', syncMode: 'insert', ifExists: 'append' };
  const [found = ''] = problems(yaml({ ...insert, completion: control('{file}.ctl', '{sha256}') }));
  assert.match(found, /content holds \{sha256\}, and with ifExists append/);
  parse(yaml({ ...insert, completion: control('{file}.ctl', '{rows}') }));
});

test('braces that are no placeholder are text', () => {
  parse(yaml({ completion: control('{file}.json', '{"a": {"rows": {rows}, "x": {}}}') }));
});

const other = (settings: Record<string, unknown>): string =>
  `  other: ${JSON.stringify({ model: 'customers', destination: 'lake', format: { type: 'csv' }, ...settings })}`;

test('two activations may not share the name of a completion file', () => {
  const success = { success: '_SUCCESS' };
  const meets = (one: Record<string, unknown>, two: Record<string, unknown>): string[] => {
    const text = yaml(one, other(two));
    try {
      parse(text);
      return [];
    } catch {
      return problems(text);
    }
  };
  const both = (one: string, two: string, completion: Record<string, unknown> = success): string[] =>
    meets({ fileName: one, completion }, { fileName: two, completion });
  assert.match(
    both('a/x', 'a/y').join(),
    /other\.completion\.success could give the same blob as activations\.export\.completion\.success/,
  );
  assert.match(both('{YYYY}/{MM}/x', '2025/{MM}/y').join(), /such as "2025\/00\/_SUCCESS"/);
  assert.match(both('a/{part}/x', 'a/y').join(), /_SUCCESS/);
  assert.deepEqual(both('a/x', 'b/y'), []);
  assert.deepEqual(both('{run}/x', '{run}/y'), []);
  assert.deepEqual(both('a/x', 'a/y', control('{file}.ctl')), []);
  assert.match(both('a/x', 'a/y', control('{YYYY}.done')).join(), /control\.name could give/);
  assert.match(
    meets({ fileName: 'a/x', completion: control('{file}.ctl') }, { fileName: 'a/x.csv.ctl' }).join(),
    /^$|could give/,
  );
  assert.match(
    meets({ fileName: 'x', completion: { success: 'y.csv' } }, { fileName: 'y' }).join(),
    /other\.fileName could give the same blob as activations\.export\.completion\.success/,
  );
});
