/**
 * Uses the API as a client of others would, by types that are made from the OpenAPI
 * document: `.ci/clients` compiles it and makes no request.
 */
import createClient from 'openapi-fetch';
import type { components, paths } from './api.ts';

const client = createClient<paths>({
  baseUrl: 'http://127.0.0.1:7345',
  headers: { authorization: 'Bearer token' },
});

type Run = components['schemas']['Run'];

export async function exportAndWait(name: string): Promise<Run['state']> {
  const { data, error: refusal } = await client.POST('/v1/activations/{name}/runs', {
    params: { path: { name }, header: { 'Idempotency-Key': 'one' } },
    body: { full: true },
  });
  if (refusal) throw new Error(`${refusal.error.code}: ${refusal.error.message} (${refusal.error.hint})`);
  const ended = await client.GET('/v1/runs/{id}', {
    params: { path: { id: data.run }, query: { wait: '30s' } },
  });
  if (ended.error) throw new Error(ended.error.error.message);
  const { state, counts, files, warnings } = ended.data;
  const names: string[] = files.map(file => file.name);
  const codes: string[] = warnings.map(warning => warning.code);
  return counts.written >= names.length && codes.length >= 0 ? state : 'failed';
}

export async function listAll(): Promise<number> {
  const listed = await client.GET('/v1/runs', {
    params: { query: { activation: 'a', state: ['failed', 'held'], limit: 10 } },
  });
  const activations = await client.GET('/v1/activations');
  await client.POST('/v1/activations/{name}/pause', { params: { path: { name: 'a' } } });
  await client.POST('/v1/activations/{name}/resume', { params: { path: { name: 'a' } } });
  const preview = await client.GET('/v1/activations/{name}/preview', {
    params: { path: { name: 'a' }, query: { rows: 5 } },
  });
  return (
    (listed.data?.runs.length ?? 0) +
    (activations.data?.activations.length ?? 0) +
    (preview.data?.columns.length ?? 0)
  );
}
