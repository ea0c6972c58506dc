import assert from 'node:assert/strict';
import type { ConfigInvalidError } from '../../src/config/checks/problems.ts';
import { type LoadedConfig, parseConfig } from '../../src/config/load.ts';

export const ENVIRONMENT = {
  WAREHOUSE_URL: 'postgres://reader:pw-of-warehouse@db.example.com:5432/crm',
  AZURE_SAS_TOKEN: '?sv=2024-11-04&sp=racwdl&sig=abcDEF%2B123%2F456%3D',
};

/** A valid configuration with one activation, whose keys can be added to or replaced. */
export function yaml(activation: Record<string, unknown> = {}, more = ''): string {
  const keys = {
    model: 'customers',
    destination: 'lake',
    fileName: 'customers',
    format: { type: 'csv' },
    ...activation,
  };
  const given = Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
  return `version: 1
sources:
  warehouse: { type: postgres, url: "\${WAREHOUSE_URL}" }
destinations:
  lake:
    type: azure-blob
    accountUrl: https://acme.blob.core.windows.net
    container: exports
    auth: { sasToken: "\${AZURE_SAS_TOKEN}" }
models:
  customers: { source: warehouse, sql: select 1 as id, primaryKey: [id] }
segments:
  french: { model: customers, where: "country = 'FR'" }
activations:
  export: ${JSON.stringify(given)}
${more}`;
}

export function parse(text: string, environment: Record<string, string> = {}): LoadedConfig {
  return parseConfig({ text, environment: { ...ENVIRONMENT, ...environment } });
}

/** The error that a text is refused with. */
export function refusal(text: string, environment: Record<string, string> = {}): ConfigInvalidError {
  try {
    parse(text, environment);
  } catch (error) {
    assert.equal((error as ConfigInvalidError).code, 'CONFIG_INVALID');
    return error as ConfigInvalidError;
  }
  throw assert.fail('the configuration was accepted');
}

/** Key and message of each problem. */
export function problems(text: string, environment: Record<string, string> = {}): string[] {
  return refusal(text, environment).problems.map(({ key, message }) => `${key} ${message}`);
}
