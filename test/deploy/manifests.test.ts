import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, parseDocument } from 'yaml';
import { apiTokens } from '../../src/config/api-tokens.ts';
import { parseConfig } from '../../src/config/load.ts';
import { runMemoryBytes } from '../../src/config/machine-memory.ts';
import { parseSize } from '../../src/config/schema/values.ts';
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

test('the runs of the Kubernetes example and the daemon fit in the memory of its container', () => {
  const { data } = document('deploy/kubernetes/daemon.yaml', 'ConfigMap');
  const { config } = parseConfig({ text: data['sluice.yaml'], environment: ENVIRONMENT });
  const { spec } = document('deploy/kubernetes/daemon.yaml', 'Deployment');
  const limit = parseSize(spec.template.spec.containers[0].resources.limits.memory.replace(/i$/, 'iB'))!;
  const runBytes = runMemoryBytes(config.daemon, limit);
  assert.ok(config.daemon.concurrency * runBytes + 256 * 1024 ** 2 <= limit, `${runBytes} bytes a run`);
  const [, told] = /Each gets (\d+) MiB/.exec(read('deploy/kubernetes/daemon.yaml'))!;
  assert.equal(Number(told), runBytes / 1024 ** 2);
});

test('the daemon of the Kubernetes example can be reached by the address of its pod', () => {
  const { data } = document('deploy/kubernetes/daemon.yaml', 'ConfigMap');
  const { config } = parseConfig({ text: data['sluice.yaml'], environment: ENVIRONMENT });
  assert.equal(config.daemon.host, '0.0.0.0');
  assert.ok(apiTokens(config.daemon.tokens).length > 0);
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

const EXAMPLES = 'docs/orchestrators/examples/';

test('the examples for orchestrators are well-formed, and each has a key that a person who tries again changes', () => {
  const [workflow] = parseAllDocuments(read(`${EXAMPLES}github-workflow.yaml`));
  assert.deepEqual(workflow!.errors, []);
  assert.match(read(`${EXAMPLES}github-workflow.yaml`), /github\.run_id }}\.\$\{\{ github\.run_attempt }}/);
  assert.match(read(`${EXAMPLES}airflow_dag.py`), /key = f".*\{ti\.dag_id}.*\{ti\.run_id}.*\{ti\.max_tries}/);
  assert.match(read(`${EXAMPLES}dagster_job.py`), /key = f".*\{context\.run\.run_id}/);
});

test('the workflow for Argo repeats pods that are lost, after however long, and no run that failed', () => {
  const { spec } = document(`${EXAMPLES}argo-workflow.yaml`, 'CronWorkflow');
  assert.equal(spec.concurrencyPolicy, 'Forbid');
  const [{ container, retryStrategy, ...template }] = spec.workflowSpec.templates;
  assert.match(container.args[1], /workflow\.namespace.*workflow\.name/);
  assert.equal(retryStrategy.retryPolicy, 'Always');
  const [, codes] = /^lastRetry\.status == "Error" \|\| asInt\(lastRetry\.exitCode\) in \[(.*)]$/.exec(
    retryStrategy.expression,
  )!;
  // None, or that of a signal.
  assert.deepEqual(codes!.split(', ').map(Number), [-1, 137, 143]);
  assert.equal(retryStrategy.backoff.maxDuration, undefined);
  // One of the template would end pods, which would be tried again.
  assert.equal(template.activeDeadlineSeconds, undefined);
  assert.ok(spec.workflowSpec.activeDeadlineSeconds > 0);
});

test('the jobs of slices on Kubernetes share one plan, and the index of a pod is its slice', () => {
  const documents = parseAllDocuments(read(`${EXAMPLES}kubernetes-slices.yaml`));
  assert.deepEqual(
    documents.flatMap(({ errors }) => errors),
    [],
  );
  // biome-ignore lint/suspicious/noExplicitAny: the shape of another program's documents
  const jobs = documents.map(each => each.toJS() as any);
  const commands = jobs.map(({ spec }) => spec.template.spec.containers[0].args as string[]);
  const [[, , , plan, , slices], [, ofSlice, number], [, ofEnd]] = commands as [string[], string[], string[]];
  assert.deepEqual([ofSlice, ofEnd], [plan, plan]);
  assert.equal(number, '$(JOB_COMPLETION_INDEX)');
  assert.equal(jobs[1].spec.completions, Number(slices));
  for (const { spec } of jobs)
    for (const rule of spec.podFailurePolicy?.rules ?? [])
      assert.ok(!rule.onExitCodes?.values.includes(EXIT.retry));
});

test('the workflow of slices for Argo makes a pod for each, and repeats what is worth another try', () => {
  const { spec } = document(`${EXAMPLES}argo-slices.yaml`, 'Workflow');
  const [, [slice]] = spec.templates[0].steps;
  assert.equal(slice.withSequence.count, '{{steps.begin.outputs.parameters.slices}}');
  assert.match(spec.templateDefaults.retryStrategy.expression, new RegExp(`\\b${EXIT.retry}\\b`));
});

test('the workers of the compose example share a configuration with the daemon, and no volume', () => {
  const parsed = parseDocument(read(`${EXAMPLES}compose-workers.yaml`));
  assert.deepEqual(parsed.errors, []);
  const { daemon, worker } = parsed.toJS().services;
  assert.equal(daemon.command[0], 'serve');
  assert.equal(worker.command[0], 'worker');
  assert.deepEqual([worker.image, worker.env_file], [daemon.image, daemon.env_file]);
  const [configuration] = daemon.volumes;
  assert.deepEqual(worker.volumes, [configuration]);
  assert.ok(worker.deploy.replicas > 1);
  const page = read('docs/guide/workers.md');
  const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(page)!;
  const { queue, state } = parseDocument(yaml).toJS();
  assert.equal(queue.url, '\u0024{QUEUE_URL}');
  assert.ok(state.destination);
});

test('the image has the package of the queue with all that it depends on, as the lock file has it', () => {
  const { packages } = JSON.parse(read('package-lock.json'));
  const needed = new Set<string>();
  const add = (name: string): void => {
    const { dev, version, dependencies = {} } = packages[`node_modules/${name}`];
    // Others are those of every installation.
    if (dev !== true || needed.has(name)) return;
    assert.ok(version);
    needed.add(name);
    for (const other of Object.keys(dependencies)) add(other);
  };
  add('pg-boss');
  const [, copied = ''] = /cp -R (.*) \.\.\/queue/.exec(read('deploy/Dockerfile'))!;
  assert.deepEqual(copied.split(' ').sort(), [...needed].sort());
  const { peerDependencies, devDependencies } = JSON.parse(read('package.json'));
  assert.equal(peerDependencies['pg-boss'], devDependencies['pg-boss']);
  assert.match(read('src/queue/pg-boss-package.ts'), new RegExp(`'${devDependencies['pg-boss']}'`));
  assert.match(read('docs/guide/workers.md'), new RegExp(`pg-boss@${devDependencies['pg-boss']}`));
});

test('the pipeline for Data Factory waits by itself, for less long than proxies do', () => {
  const { activities } = JSON.parse(read(`${EXAMPLES}data-factory-pipeline.json`)).properties;
  // biome-ignore lint/suspicious/noExplicitAny: the shape of another program's documents
  const named = (list: any[], name: string): any => list.find(each => each.name === name).typeProperties;
  const trigger = named(activities, 'Trigger');
  assert.match(trigger.headers['Idempotency-Key'].value, /pipeline\(\)\.RunId/);
  // Else the activity would follow the `Location` of a 202, which is a path, and not a
  // whole address.
  assert.equal(trigger.turnOffAsync, true);
  const look = named(named(activities, 'UntilEnded').activities, 'Look');
  const [, wait] = /\?wait=(\d+)s'/.exec(look.url.value)!;
  assert.ok(Number(wait) < 20);
});

test('the Python of the examples is well-formed', { skip: !hasPython() && 'python3 not found' }, () => {
  const program =
    'import ast, sys\nfor path in sys.argv[1:]: ast.parse(open(path).read(), path, feature_version=(3, 9))';
  const paths = ['airflow_dag.py', 'airflow_slices.py', 'dagster_job.py', 'sluice_client.py'].map(name =>
    fileURLToPath(new URL(EXAMPLES + name, REPOSITORY)),
  );
  const { status, stderr } = spawnSync('python3', ['-c', program, ...paths], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});

function hasPython(): boolean {
  return spawnSync('python3', ['--version']).status === 0;
}
