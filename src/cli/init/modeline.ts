/** Lies beside the configuration, where editors look for it. */
export const SCHEMA_FILE = 'sluice.schema.json';

/** By it editors complete and check the file. */
export const MODELINE = `# yaml-language-server: $schema=./${SCHEMA_FILE}`;
