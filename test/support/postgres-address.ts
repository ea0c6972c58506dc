import type { PostgresAddress } from '../../src/addresses/postgres-address.ts';
import { addressFaults, postgresAddress } from '../../src/config/postgres/postgres-address.ts';
import type { PostgresConfig } from '../../src/config/schema/schema.ts';
import { Secret } from '../../src/config/secrets.ts';

/** The address that a configuration with this URL gives, in an empty environment. */
export function addressOf(url: string): PostgresAddress {
  const source = { url: new Secret(url) } as PostgresConfig;
  const [fault] = addressFaults(source);
  if (fault) throw new Error(`${fault.key} ${fault.message}`);
  return postgresAddress(source, { environment: {}, directory: '.' }).address;
}
