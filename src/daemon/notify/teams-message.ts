import { messageWithKeys } from './sampled-keys.ts';
import { headOf, type Told } from './told.ts';

const COLOURS = { error: 'Attention', warning: 'Warning', info: 'Accent', over: 'Good' } as const;

const MAX_TEXT = 4000;

/**
 * An Adaptive Card, as workflows of Teams take it at their webhook. Texts are runs of a
 * rich text block, in which nothing is markup.
 */
export function teamsMessage(told: Told): Record<string, unknown> {
  const { notification, link } = told;
  const { event, severity, run, at } = notification;
  const message = messageWithKeys(notification);
  const colour = COLOURS[event === 'raised' ? severity : 'over'];
  const line = (text: string, more: Record<string, unknown>): Record<string, unknown> => ({
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text: text.slice(0, MAX_TEXT), ...more }],
  });
  const about = run === undefined ? at : `run ${run}, ${at}`;
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [
      line(headOf(notification), { weight: 'Bolder', size: 'Medium', color: colour }),
      line(message, {}),
      line(about, { isSubtle: true, size: 'Small' }),
    ],
    ...(link !== undefined && {
      actions: [
        { type: 'Action.OpenUrl', title: run === undefined ? 'Open Sluice' : 'Open the run', url: link },
      ],
    }),
    msteams: { width: 'Full' },
  };
  return {
    type: 'message',
    attachments: [
      { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card },
    ],
  };
}
