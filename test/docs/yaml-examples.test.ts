/**
 * Every YAML example of the pages works where it is pasted: it begins at a section, and
 * fits the schema and the rules.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { parseDocument } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import { configJsonSchema } from '../../src/config/schema/json-schema.ts';
import { pages } from './support/pages.ts';

type Tree = Record<string, unknown>;

const SAS_TOKEN = 'sv=2024-11-04&sr=c&sp=rcwdl&se=2099-01-01T00%3A00%3A00Z&sig=c2lnbmF0dXJl';

/** What examples are parts of. */
const MINIMAL: Tree = {
  version: 1,
  sources: { warehouse: { type: 'postgres', url: 'postgresql://user:password@host/database' } },
  destinations: {
    lake: {
      type: 'azure-blob',
      accountUrl: 'https://acme.blob.core.windows.net',
      container: 'exports',
      auth: { sasToken: SAS_TOKEN },
    },
  },
  models: { customers: { source: 'warehouse', sql: 'select id from customers', primaryKey: ['id'] } },
  activations: {
    customers_to_lake: {
      model: 'customers',
      destination: 'lake',
      fileName: 'all/customers',
      format: { type: 'csv' },
    },
  },
};

const ENVIRONMENT = {
  QUEUE_URL: 'postgresql://user:password@host/jobs',
  WAREHOUSE_URL: 'postgresql://user:password@host/database',
  AZURE_SAS_TOKEN: SAS_TOKEN,
  DB_PASSWORD: 'password',
  OPS_WEBHOOK_URL: 'https://ops.example.com/hook',
  OPS_WEBHOOK_SECRET: 'a-secret-of-sixteen-characters',
  SLACK_WEBHOOK_URL: 'https://hooks.slack.com/services/x',
  TEAMS_WEBHOOK_URL: 'https://acme.example.com/workflows/x',
  EVENT_GRID_URL: 'https://topic.westeurope-1.eventgrid.azure.net/api/events',
  EVENT_GRID_KEY: 'key',
  SMTP_PASSWORD: 'password',
  AIRFLOW_TOKEN: 'airflow-0123456789abcdef',
  ANALYST_TOKEN: 'analyst-0123456789abcdef',
  METRICS_TOKEN: 'metrics-0123456789abcdef',
};

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merged(base: Tree, over: Tree): Tree {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    result[key] = isTree(below) && isTree(value) ? merged(below, value) : value;
  }
  return result;
}

/** The rules and the scraping of Prometheus are YAML of another program. */
const EXAMPLES = pages().flatMap(({ path, text }) =>
  [...text.matchAll(/^```ya?ml\n(.*?)^```$/gms)]
    .filter(([, yaml]) => !/^(?:groups|scrape_configs):/.test(yaml!))
    .map(({ 1: yaml, index }) => ({
      place: `${path}:${text.slice(0, index).split('\n').length}`,
      yaml: yaml!,
    })),
);

test('the pages have examples', () => {
  assert.ok(EXAMPLES.length >= 7, `${EXAMPLES.length} examples`);
});

const ajv = new Ajv({ strict: true, allErrors: true });
addFormats.default(ajv);
const fits = ajv.compile(configJsonSchema());

for (const { place, yaml } of EXAMPLES) {
  test(`the example at ${place} is whole sections of a configuration that is accepted`, () => {
    const document = parseDocument(yaml);
    assert.deepEqual(document.errors, []);
    const fragment: unknown = document.toJS();
    assert.ok(isTree(fragment));
    const config = merged(MINIMAL, fragment);
    const { config: loaded } = parseConfig({ text: JSON.stringify(config), environment: ENVIRONMENT });
    assert.equal(loaded.version, 1);
    assert.ok(fits(config), JSON.stringify(fits.errors));
  });
}
