/** The reference page of the configuration, from the schema. */

import { PLACEHOLDERS } from '../../src/config/file-name.ts';
import { configJsonSchema, type JsonSchema } from '../../src/config/schema/json-schema.ts';
import { NOTE_KINDS } from '../../src/config/schema/note-kinds.ts';

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** Patterns and bounds in words; the description says the rest. */
function typeText(schema: JsonSchema): string {
  // Scalars with a unit have the name of their kind as title.
  if (schema.title !== undefined) return schema.title;
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined && schema.properties === undefined) {
    return [...new Set(branches.map(typeText))].join(' or ');
  }
  if (schema.type === 'array') {
    const items = schema.items === undefined ? [] : ([schema.items].flat() as JsonSchema[]);
    return `list of ${[...new Set(items.map(typeText))].join(', ')}`;
  }
  if (schema.type === 'object') return 'map';
  if (schema.type === 'string') return 'text';
  if (schema.type !== 'integer') return schema.type ?? 'any';
  const bounded = (limit: number | undefined) =>
    limit !== undefined && Math.abs(limit) < Number.MAX_SAFE_INTEGER;
  const bounds = [
    ...(bounded(schema.minimum) ? [`from ${schema.minimum}`] : []),
    ...(bounded(schema.maximum) ? [`to ${schema.maximum}`] : []),
  ];
  return ['whole number', ...bounds].join(' ');
}

function defaultText(schema: JsonSchema, required: boolean): string {
  if (required) return 'required';
  if (schema.default === undefined) return '';
  if (schema.default === '') return 'empty text';
  // A map's default is said by the defaults of its keys.
  return typeof schema.default === 'object' && !Array.isArray(schema.default) ? '' : code(schema.default);
}

/**
 * Shapes of a key that have keys of their own: its own, those of its choices, those of
 * its entries or items.
 */
function inner(schema: JsonSchema, path: string): [path: string, schema: JsonSchema][] {
  const items = schema.items === undefined ? [] : ([schema.items].flat() as JsonSchema[]);
  const entries = typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
  return [
    ...(schema.properties === undefined ? [] : [[path, schema] as [string, JsonSchema]]),
    ...(schema.properties === undefined ? [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])] : []).flatMap(
      branch => inner(branch, path),
    ),
    ...entries.flatMap(entry => inner(entry, `${path}.NAME`)),
    ...items.flatMap(item => inner(item, `${path}[]`)),
  ];
}

function section(path: string, schema: JsonSchema): string[] {
  const properties = Object.entries(schema.properties ?? {});
  const choice = schema.properties?.['type']?.const;
  const title = `${path}${choice === undefined ? '' : `, type ${choice}`}`;
  const rows = properties.map(([key, child]) => {
    const required = schema.required?.includes(key) === true;
    const columns = [code(key), typeText(child), defaultText(child, required), child.description ?? ''];
    return `| ${columns.map(cell).join(' | ')} |`;
  });
  return [
    `## ${title}`,
    ...(schema.description === undefined ? [] : ['', schema.description]),
    '',
    '| key | value | default | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
    ...properties.flatMap(([key, child]) => {
      const childPath = path === 'sluice.yaml' ? key : `${path}.${key}`;
      return inner(child, childPath).flatMap(([innerPath, innerSchema]) => section(innerPath, innerSchema));
    }),
  ];
}

const INTRODUCTION = `# Configuration

<!-- Made from the schema by \`npx tsx docs/reference/generate.ts\`; do not edit. -->

One YAML or JSON file, or a folder of them (\`.yaml\`, \`.yml\`, \`.json\`, not in subfolders) joined by section. A name that is
defined in two files is an error. Unknown keys are errors. \`sluice schema\` prints the same as JSON Schema for editors.

**Sizes** are bytes (\`1048576\`) or have a unit: \`B\`, \`KB\` \`MB\` \`GB\` \`TB\` (powers of 1000), \`KiB\` \`MiB\` \`GiB\` \`TiB\` (of 1024).
**Durations** have a unit: \`ms\`, \`s\`, \`m\`, \`h\`, \`d\`, \`w\`; only \`0\` has none. **Percents** end in \`%\`.
**Names** are up to 100 letters, digits, \`_\` and \`-\`, and start with a letter or digit.

**References** stand in any text: \`\${NAME}\` is an environment variable, \`\${NAME:-default}\` has a value for when it is not
set or empty, \`\${file:/path}\` is the text of a file without its last line break; \`$\${\` is \`\${\` itself. They are resolved
after the file was parsed, so a value never becomes structure; where a number or a boolean is expected, the value may
be one.

**What is hidden.** Values of secret keys, of \`\${file:/path}\` and of variables whose name holds \`PASS\`, \`PWD\`, \`SECRET\`, \`TOKEN\`, \`KEY\`, \`SAS\`,
\`CREDENTIAL\`, \`SIGNATURE\` or \`WEBHOOK\` are hidden wherever they turn up, from 4 characters on. Values of other variables are hidden in
problems of the configuration; those in models, segments and mappings also in errors of runs, previews and validations, from 6
characters on. Elsewhere they are names, of containers, folders or files, and are shown as such.

Relative paths start from the folder of the file that they stand in.
`;

function listing(): string[] {
  const placeholders = Object.entries(PLACEHOLDERS).map(([name, about]) => `| \`{${name}}\` | ${about} |`);
  const notes = Object.entries(NOTE_KINDS).map(
    ([code, { about, hint }]) => `| \`${code}\` | ${cell(about)} | ${cell(hint)} |`,
  );
  return [
    '## Placeholders of file names',
    '',
    '| placeholder | stands for |',
    '|---|---|',
    ...placeholders,
    '| `{column.NAME}` | value of a column that `partitionBy` names |',
    '| `{param.NAME}` | value of the parameter `NAME` of the query |',
    '',
    'They are resolved once per run, in the time zone of the activation. Without `{part}` the first part keeps the name and',
    'the next get `_part00002` and so on; files of `difference` get `_added`, `_updated`, `_removed` before that. The extension',
    'is added when it is not there. A name has up to 1,024 characters and 254 segments, folder included; `.`, `..`, empty',
    'segments, segments that end with a dot, `\\`, control characters, a leading or trailing `/` and a segment `_sluice` are',
    'refused, and so is a `{` or `}` that belongs to no placeholder.',
    '',
    '## Notes of `sluice validate`',
    '',
    'A note is about what works and causes trouble later. No check fails for it, and `notes.ignore` leaves out what is known:',
    'of the configuration for every activation, of an activation for itself.',
    '',
    '| code | given when | way out |',
    '|---|---|---|',
    ...notes,
    '',
  ];
}

/** The page docs/reference/configuration.md, in Markdown. */
export function configReference(): string {
  return `${[INTRODUCTION, ...section('sluice.yaml', configJsonSchema()), ...listing()].join('\n').trimEnd()}\n`;
}
