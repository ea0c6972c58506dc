import { METRICS } from '../../src/daemon/metrics.ts';

/** The page docs/reference/metrics.md, in Markdown. */
export function metricsReference(): string {
  const rows = Object.entries(METRICS).map(([name, { type, labels, help }]) => {
    const shown = labels.map(label => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`;
  });
  return `# Metrics

<!-- Made from src/daemon/metrics.ts by \`npx tsx docs/reference/generate.ts\`; do not edit. -->

\`GET /metrics\` of \`sluice serve\`, in the text format of Prometheus. With \`daemon.tokens\` it asks for a token, of \`read\` or \`write\`; a request
with one may name any \`Host\`, so that Prometheus can scrape a pod by its address:

\`\`\`yaml
scrape_configs:
  - job_name: sluice
    kubernetes_sd_configs: [{ role: pod }]
    authorization: { credentials_file: /etc/prometheus/secrets/sluice-token }
    relabel_configs:
      - { source_labels: [__meta_kubernetes_pod_label_app], regex: sluice, action: keep }
\`\`\`

| metric | type | labels | meaning |
|---|---|---|---|
${rows.join('\n')}

Beside them stand the usual \`process_…\` and \`nodejs_…\` metrics of the daemon's own process; runs are processes of their own and
not in them. \`nodejs_active_…\` is a number by \`type\`, without a sum.

\`activation\` takes the names of the configuration only; series of an activation that is removed are dropped at the reload.
\`code\` takes the [codes of warnings](../guide/warnings.md). Counters begin at 0 when the daemon starts.

A few rules to begin with:

\`\`\`yaml
groups:
  - name: sluice
    rules:
      - alert: SluiceExportFailing
        expr: sluice_warnings_active{code=~"RUN_FAILED|RUN_UNFINISHED|HELD|PAUSED|NO_SUCCESS"} == 1
        for: 5m
      - alert: SluiceExportOld
        expr: time() - sluice_last_success_timestamp_seconds > 86400
      - alert: SluiceScheduleStuck
        expr: time() - sluice_next_run_timestamp_seconds > 600
      - alert: SluiceNotificationsUndelivered
        expr: sum(sluice_notifications_undelivered) > 0
        for: 15m
\`\`\`
`;
}
