import * as z from 'zod';
import { RIGHTS } from '../../../config/schema/schema-daemon.ts';
import { component } from './component.ts';

export const callerSchema = component(
  'Caller',
  z
    .object({
      may: z.enum(RIGHTS).describe('What the token allows; all without tokens.'),
      activations: z
        .array(z.string())
        .exactOptional()
        .describe('Patterns of the activations that the token sees. Absent where it sees all.'),
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
