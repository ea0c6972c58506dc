import type { Relation } from './catalogue.ts';
import { entryNames } from './entry-names.ts';
import { MODELINE } from './modeline.ts';

/** All that was asked. Texts are as they stand in the file. */
export interface Answers {
  readonly url: string;
  readonly models: readonly ModelAnswer[];
  readonly destination: DestinationAnswer;
  readonly format: FormatName;
}

export interface ModelAnswer {
  readonly relation: Pick<Relation, 'schema' | 'name' | 'key'>;
  /** Where the catalogue has no key: what was typed; may be empty. */
  readonly primaryKey?: readonly string[];
}

export type DestinationAnswer =
  | { readonly type: 'folder'; readonly path: string }
  | {
      readonly type: 'azure-blob';
      readonly accountUrl?: string;
      readonly container: string;
      readonly folder?: string;
      readonly auth: Readonly<Record<string, string>>;
    };

export const FORMATS = {
  csv: '{ type: csv }',
  ndjson: '{ type: json, layout: lines }',
  json: '{ type: json }',
  xml: '{ type: xml }',
  parquet: '{ type: parquet }',
} as const;
export type FormatName = keyof typeof FORMATS;

/** The configuration, and the names of its activations. */
export function writeConfig({ url, models, destination, format }: Answers): {
  readonly text: string;
  readonly activations: readonly string[];
} {
  const names = entryNames(models.map(({ relation }) => relation));
  const place = destination.type === 'folder' ? 'files' : 'lake';
  const activations = names.map(name => `${name}_to_${place}`);
  const text = `${MODELINE}
# Configuration of Sluice. All keys are in docs/reference/configuration.md.
version: 1

# State, run journal and history. It belongs to this machine; back it up with the rest.
dataDirectory: ./.sluice

sources:
  warehouse:
    type: postgres
    url: ${quoted(url)}

destinations:
  ${place}:
${destinationLines(destination)
  .map(line => `    ${line}\n`)
  .join('')}
models:
${models.map((model, index) => modelText(names[index]!, model)).join('')}
activations:
${names.map((name, index) => activationText(activations[index]!, { name, place, format })).join('\n')}`;
  return { text, activations };
}

function destinationLines(destination: DestinationAnswer): string[] {
  const { type, ...keys } = destination;
  return [
    `type: ${type}`,
    ...Object.entries(keys).map(([key, value]) =>
      typeof value === 'string'
        ? `${key}: ${quoted(value)}`
        : `${key}: { ${Object.entries(value)
            .map(([way, text]) => `${way}: ${quoted(text)}`)
            .join(', ')} }`,
    ),
  ];
}

function modelText(name: string, { relation, primaryKey = [] }: ModelAnswer): string {
  const { schema, key } = relation;
  const known = key.length > 0 ? `    # Its key is that of the table: ${key.join(', ')}\n` : '';
  const typed = `    primaryKey: [${primaryKey.map(quoted).join(', ')}]\n`;
  const none = '    # primaryKey: [id]            # columns that identify a row; needed for changes\n';
  return `  ${name}:
    source: warehouse
    table: ${quoted(`${identifier(schema)}.${identifier(relation.name)}`)}
${known || (primaryKey.length > 0 ? typed : none)}`;
}

function activationText(
  activation: string,
  { name, place, format }: { readonly name: string; readonly place: string; readonly format: FormatName },
): string {
  return `  ${activation}:
    model: ${name}
    destination: ${place}
    fileName: "{YYYY}/{MM}/{DD}/${name}"
    format: ${FORMATS[format]}
    # Every row once, then what changed; {run} gives each run files of its own:
    # runType: full_then_delta
    # syncMode: upsert              # or insert, or difference
    # schedule: [{ cron: "0 7 * * *", timezone: Europe/Paris }]    # for the daemon, \`sluice serve\`
`;
}

/** As SQL would have it. */
function identifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** As YAML has it: plain where that is surely the same text. */
function quoted(text: string): string {
  return /^[A-Za-z_./][A-Za-z0-9_./-]*$/.test(text) && !/^(?:y|yes|n|no|on|off|true|false|null)$/i.test(text)
    ? text
    : JSON.stringify(text);
}
