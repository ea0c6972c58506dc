import { test } from 'node:test';
import { getPostgres, startPrivatePostgres } from '../postgres.ts';
test('hangs', async () => { await getPostgres(); await startPrivatePostgres(); process.stderr.write('HANGING\n'); await new Promise(() => setInterval(() => {}, 1000)); });
