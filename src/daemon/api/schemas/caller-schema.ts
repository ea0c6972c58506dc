import * as z from 'zod';
import { component } from './component.ts';

export const callerSchema = component(
  'Caller',
  z
    .object({
      may: z.enum(['read', 'write']).describe('What the token allows; all without tokens.'),
      tokenName: z
        .string()
        .exactOptional()
        .describe('The token as the audit log names it. Absent where none is asked for.'),
      tokensRequired: z.boolean().describe('Whether requests need a token.'),
      version: z.string().describe('Version of the daemon.'),
      title: z.string().exactOptional().describe('`daemon.title` of the configuration.'),
    })
    .describe('Who calls, and which daemon answers.')
    .meta({
      examples: [
        { may: 'write', tokenName: 'write 1', tokensRequired: true, version: '1.2.3', title: 'production' },
      ],
    }),
);
export type CallerAnswer = z.output<typeof callerSchema>;
