import assert from 'node:assert/strict';
import test from 'node:test';
import { ActivationWarnings } from '../../../src/daemon/warnings/activation-warnings.ts';
import { make, withWorld } from '../support/daemon-world.ts';

const DAY = 86_400_000;

test('a daemon whose clock is behind warns of a SAS token by the clock that answered its run', () =>
  withWorld({}, async world => {
    const proxy = await world.blobProxy();
    const date = new Date(Date.now() + 25 * DAY).toUTCString();
    // Nothing is there yet: each of these is answered as the service would, but for the
    // date.
    proxy.setHook(({ method }) =>
      method === 'PUT' ? undefined : { status: 404, headers: { date, 'x-ms-error-code': 'BlobNotFound' } },
    );
    const { accountUrl } = world.container;
    const sasToken = world.container.sas('racwdl', new Date(Date.now() + 30 * DAY));
    world.settings = {
      activations: { one: { warnings: { sasExpiresWithin: '7d' } } },
      destination: { accountUrl: proxy.through(accountUrl), auth: { sasToken } },
    };
    let tell: (codes: string) => void;
    const told = new Promise<string>(resolve => {
      tell = resolve;
    });
    const daemon = await world.start({
      createWarnings: ({ documents, clock, log }) =>
        new ActivationWarnings({
          documents,
          clock,
          log,
          notifications: {
            open: async () => {},
            add: async added => tell(added.map(({ code }) => code).join()),
            undelivered: () => [],
            counts: { waiting: 0, lost: 0 },
            close: async () => {},
          },
        }),
    });
    assert.equal((await make(daemon, 'one')).state, 'succeeded');
    assert.equal(await told, 'SAS_EXPIRES');
  }));
