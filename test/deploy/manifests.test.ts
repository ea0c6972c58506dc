import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import { EXIT } from '../../src/errors.ts';

const REPOSITORY = new URL('../../', import.meta.url);

function read(path: string): string {
  return readFileSync(new URL(path, REPOSITORY), 'utf8');
}

/** The document of that kind, as plain data. */
// biome-ignore lint/suspicious/noExplicitAny: the shape of another program's documents
function document(path: string, kind: string): any {
  const documents = parseAllDocuments(read(path)).map(parsed => {
    assert.deepEqual(parsed.errors, [], path);
    return parsed.toJS() as { kind: string };
  });
  const found = documents.find(each => each.kind === kind);
  assert.ok(found, `${path} has no ${kind}`);
  return found;
}

const ENVIRONMENT = {
  SLUICE_TOKEN: 'a-token-of-sixteen-characters',
  WAREHOUSE_URL: 'postgresql://user:password@host/database',
};

test('the configuration of the Kubernetes example is one that Sluice takes', () => {
  const { data } = document('deploy/kubernetes/daemon.yaml', 'ConfigMap');
  const { config } = parseConfig({ text: data['sluice.yaml'], environment: ENVIRONMENT });
  assert.equal(config.dataDirectory, '/var/lib/sluice');
});

test('one daemon serves the volume, and has the time that its grace period takes', () => {
  const { spec } = document('deploy/kubernetes/daemon.yaml', 'Deployment');
  assert.equal(spec.replicas, 1);
  assert.equal(spec.strategy.type, 'Recreate');
  const volume = document('deploy/kubernetes/daemon.yaml', 'PersistentVolumeClaim');
  assert.deepEqual(volume.spec.accessModes, ['ReadWriteOncePod']);
  const { data } = document('deploy/kubernetes/daemon.yaml', 'ConfigMap');
  const { config } = parseConfig({ text: data['sluice.yaml'], environment: ENVIRONMENT });
  const graceMs = config.daemon.gracePeriod;
  assert.ok(spec.template.spec.terminationGracePeriodSeconds * 1000 >= graceMs + 15_000);
  const [, stopSeconds] = /TimeoutStopSec=(\d+)s/.exec(read('deploy/sluice.service'))!;
  assert.ok(Number(stopSeconds) * 1000 >= graceMs + 15_000);
});

test('the CronJob repeats by the exit codes of the command', () => {
  const { spec } = document('deploy/kubernetes/cron-job.yaml', 'CronJob');
  assert.equal(spec.concurrencyPolicy, 'Forbid');
  const rules: { action: string; onExitCodes?: { values: number[] } }[] =
    spec.jobTemplate.spec.podFailurePolicy.rules;
  const codesOf = (action: string): number[] =>
    rules.filter(rule => rule.action === action).flatMap(rule => rule.onExitCodes?.values ?? []);
  assert.deepEqual(codesOf('FailJob'), [EXIT.failed, EXIT.usage, EXIT.held]);
  // 137 is a container that was killed, most often for its memory.
  assert.deepEqual(codesOf('Count'), [EXIT.retry, EXIT.cancelled, 137]);
});

test('the examples for orchestrators are well-formed, and each asks with a key', () => {
  const folder = 'docs/orchestrators/examples/';
  assert.equal(document(`${folder}argo-workflow.yaml`, 'CronWorkflow').spec.concurrencyPolicy, 'Forbid');
  const [workflow] = parseAllDocuments(read(`${folder}github-workflow.yaml`));
  assert.deepEqual(workflow!.errors, []);
  const pipeline = JSON.parse(read(`${folder}data-factory-pipeline.json`));
  const trigger = pipeline.properties.activities.find(({ name }: { name: string }) => name === 'Trigger');
  assert.match(trigger.typeProperties.headers['Idempotency-Key'].value, /pipeline\(\)\.RunId/);
  for (const file of ['airflow_dag.py', 'dagster_job.py', 'argo-workflow.yaml', 'github-workflow.yaml'])
    assert.match(read(folder + file), /run_id|workflow\.name/, file);
});
