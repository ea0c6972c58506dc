import type { Notification, Severity } from './notification.ts';

const COLOURS: Readonly<Record<Severity | 'recovered', string>> = {
  error: '#d00000',
  warning: '#e8a200',
  info: '#3070c0',
  recovered: '#2a9d4a',
};

const MAX_TEXT = 2000;

/** The three characters that mean something in Slack's texts. */
function escaped(text: string): string {
  return text.slice(0, MAX_TEXT).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** What Slack, Mattermost and Rocket.Chat take at an incoming webhook. */
export function slackMessage({
  event,
  code,
  severity,
  activation,
  run,
  message,
  at,
}: Notification): Record<string, unknown> {
  const head = event === 'recovered' ? `${activation}: ${code} is over` : `${activation}: ${code}`;
  return {
    text: `*${escaped(head)}*`,
    attachments: [
      {
        color: COLOURS[event === 'recovered' ? 'recovered' : severity],
        fallback: escaped(`${head}: ${message}`),
        text: escaped(message),
        footer: run === undefined ? 'Sluice' : `Sluice, run ${run}`,
        ts: Math.floor(Date.parse(at) / 1000),
      },
    ],
  };
}
