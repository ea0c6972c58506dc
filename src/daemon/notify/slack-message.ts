import type { Severity } from './notification.ts';
import { messageWithKeys } from './sampled-keys.ts';
import { headOf, type Told } from './told.ts';

const COLOURS: Readonly<Record<Severity | 'over', string>> = {
  error: '#d00000',
  warning: '#e8a200',
  info: '#3070c0',
  over: '#2a9d4a',
};

const MAX_TEXT = 2000;

/** The three characters that mean something in Slack's texts. */
function escaped(text: string): string {
  return text.slice(0, MAX_TEXT).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** What Slack, Mattermost and Rocket.Chat take at an incoming webhook. */
export function slackMessage({ notification, link }: Told): Record<string, unknown> {
  const { event, severity, run, at } = notification;
  const message = messageWithKeys(notification);
  const head = headOf(notification);
  return {
    text: `*${escaped(head)}*`,
    attachments: [
      {
        color: COLOURS[event === 'raised' ? severity : 'over'],
        fallback: escaped(`${head}: ${message}`),
        text: escaped(message),
        ...(link !== undefined && { title: run === undefined ? 'Sluice' : 'The run', title_link: link }),
        footer: run === undefined ? 'Sluice' : `Sluice, run ${run}`,
        ts: Math.floor(Date.parse(at) / 1000),
      },
    ],
  };
}
