import type { BlobEmulatorAddress } from '../../embedded/azurite.ts';

export const DEMO_CONTAINER = 'exports';

/**
 * The formats beside CSV, which is shown more closely: name of the activation, and its
 * `format`.
 */
export const OTHER_FORMATS = [
  { name: 'as_json', format: '{ type: json }' },
  { name: 'as_ndjson', format: '{ type: json, layout: lines }' },
  { name: 'as_xml', format: '{ type: xml }' },
  { name: 'as_parquet', format: '{ type: parquet }' },
] as const;

export interface DemoConfigOptions {
  readonly postgresUrl: string;
  readonly emulator: BlobEmulatorAddress;
}

/** The sluice.yaml of the demo. The emulator's key is public. */
export function demoConfig({ postgresUrl, emulator }: DemoConfigOptions): string {
  const others = OTHER_FORMATS.map(({ name, format }) => activation(name, `format: ${format}`));
  return `version: 1
dataDirectory: ./state
sources:
  warehouse:
    type: postgres
    url: ${postgresUrl}
destinations:
  lake:
    type: azure-blob
    accountUrl: ${emulator.accountUrl}
    container: ${DEMO_CONTAINER}
    auth: { accountKey: "${emulator.accountKey}" }
models:
  customers:
    source: warehouse
    sql: select id, name, note, balance, country, is_active, updated_at from customers order by id
    primaryKey: [id]
activations:
${[
  activation('as_csv', 'format: { type: csv }'),
  ...others,
  activation('compressed', 'format: { type: csv, compression: gzip }'),
  activation('in_parts', 'format: { type: csv }', 'maxFileSize: 128KiB'),
  ...['upsert', 'insert', 'difference'].map(mode =>
    activation(
      mode,
      'format: { type: csv }',
      'runType: full_then_delta',
      `syncMode: ${mode}`,
      'mapping: [id, { from: name, to: customer }, note, balance]',
    ),
  ),
].join('\n')}
`;
}

/** Each run has a folder of its own, by its time. */
function activation(name: string, ...lines: readonly string[]): string {
  const all = [
    'model: customers',
    'destination: lake',
    'fileName: "{activation}/{HH}{mm}{ss}-{ms}/customers"',
    ...lines,
  ];
  return [`  ${name}:`, ...all.map(line => `    ${line}`)].join('\n');
}
