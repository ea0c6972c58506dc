import type { AuthMethod, PostgresAddress } from '../../../addresses/postgres-address.ts';
import type { DriverConnection } from '../data-row-stream.ts';

/**
 * Ends a connection whose server asks for another way to log in than `require_auth` and
 * `channel_binding` accept, before anything of the password is sent. To be called before
 * the driver listens itself.
 */
export function guardLogin(connection: DriverConnection, address: PostgresAddress): void {
  const { authMethods, channelBinding } = address;
  let method: AuthMethod = 'none';
  let isBound = false;
  const refuse = (message: string): void => {
    connection.stream.destroy();
    connection.emit('error', new Error(message));
  };
  const accept = (): void => {
    if (authMethods !== undefined && !authMethods.includes(method)) {
      const asked =
        method === 'none' ? 'logs in without authentication' : `asks for authentication by ${method}`;
      refuse(`the server ${asked}, which require_auth does not accept`);
    } else if (channelBinding === 'require' && !isBound) {
      refuse('channel_binding is require, and the server does not offer authentication with channel binding');
    }
  };
  const asked = (name: AuthMethod) => (message: { mechanisms?: readonly string[] }) => {
    method = name;
    isBound = message.mechanisms?.includes('SCRAM-SHA-256-PLUS') === true && 'encrypted' in connection.stream;
    accept();
  };
  connection.once('authenticationCleartextPassword', asked('password'));
  connection.once('authenticationMD5Password', asked('md5'));
  connection.once('authenticationSASL', asked('scram-sha-256'));
  connection.once('authenticationOk', accept);
}

/**
 * The rounds of SCRAM that the server of this connection asked for, once it has. They may
 * take this machine longer than the network takes for everything else.
 */
export function watchScramRounds(connection: DriverConnection): () => number | undefined {
  let rounds: number | undefined;
  connection.once('authenticationSASLContinue', ({ data }: { data: string }) => {
    rounds = Number(/(?:^|,)i=(\d+)/.exec(data)?.[1]) || undefined;
  });
  return () => rounds;
}
