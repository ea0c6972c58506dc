/** `daemon` of the configuration: settings of `sluice serve`. */

import * as z from 'zod';
import { LEAST_RUN_MEMORY_BYTES } from '../machine-memory.ts';
import { secret } from './secret-schema.ts';
import { duration, size, text } from './values.ts';

const token = secret({
  expected: 'a token of at least 16 printable characters without spaces',
  check: value => /^[\x21-\x7e]{16,}$/.test(value),
});

/** What a token allows; each includes those before it. */
export const RIGHTS = ['read', 'preview', 'write'] as const;
export type Right = (typeof RIGHTS)[number];

const tokensByKind = z
  .strictObject({
    read: z
      .array(token)
      .prefault([])
      .describe('Tokens that may look at everything but rows, of at least 16 characters. Secret.'),
    write: z
      .array(token)
      .prefault([])
      .describe('Tokens that may also change and see rows; of at least 16 characters. Secret.'),
  })
  .describe('Tokens without names, for every activation.');

const ACTIVATIONS_EXPECTED = 'a name of an activation, in which * stands for any text, such as crm_*';

const namedTokens = z
  .array(
    z
      .strictObject({
        name: text('1 to 100 printable characters')
          .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,98}[\x21-\x7e])?$/, { error: '1 to 100 printable characters' })
          .describe('Who has it: the audit log says so.'),
        token: token.describe('The token, of at least 16 characters. Secret.'),
        may: z
          .enum(RIGHTS)
          .describe(
            'What it allows: `read` sees states, counts and files; `preview` also rows; `write` may also trigger, cancel, pause and allow.',
          ),
        activations: z
          .array(z.string().regex(/^[A-Za-z0-9_*-]+$/, { error: ACTIVATIONS_EXPECTED }))
          .min(1, { error: 'at least one name or pattern' })
          .exactOptional()
          .describe(
            'Names of the activations that it sees, `*` for any text (`crm_*`); all without. Others are not there to it, and it may not reload.',
          ),
      })
      .describe('A token with a name.'),
  )
  .describe('Tokens with names.');

/** What a `Host` header can say, or `*`. Other patterns would never match. */
const ALLOWED_HOST =
  /^(?:\*|(?:[^\s:@[\]/?#*]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/;
const HOST_EXPECTED =
  'a host name or address, with a port or without, such as sluice.example or 10.1.2.3:7345';

const smtp = z
  .strictObject({
    host: text().describe('Host of the mail server.'),
    port: z.int().min(1).max(65_535).default(587).describe('Port of the mail server.'),
    security: z
      .enum(['starttls', 'tls', 'none'])
      .default('starttls')
      .describe('TLS after `STARTTLS` (required, never optional), from the first byte, or none.'),
    user: text().exactOptional().describe('User name, when the server asks for one.'),
    password: secret({ expected: 'text that is not empty' }).exactOptional().describe('Password. Secret.'),
    from: z.email({ error: 'an e-mail address' }).describe('Sender of the mails.'),
  })
  .describe('Mail server.');

const PUBLIC_URL = 'an http or https URL, such as https://sluice.example.com/';

export const daemon = z
  .strictObject({
    host: text()
      .default('127.0.0.1')
      .describe('Address to listen on; one beyond loopback needs a token. A change takes a restart.'),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .default(7345)
      .describe('Port to listen on; 0 takes a free one. A change takes a restart.'),
    title: text()
      .max(60, { error: 'text of at most 60 characters' })
      .exactOptional()
      .describe('Name of this installation, such as `production`: the console shows it on every page.'),
    console: z
      .boolean()
      .default(true)
      .describe('Whether the web console is served at `/`. A change takes a restart.'),
    concurrency: z.int().min(1).max(256).default(2).describe('Runs at the same time, in all.'),
    tokens: z
      .union([namedTokens, tokensByKind], { error: 'a list of tokens, or a map with read and write' })
      .prefault({})
      .describe(
        'Bearer tokens of the HTTP API: a list of named ones, or lists of unnamed ones for everything; several at a time, so that they can be rotated.',
      ),
    allowedHosts: z
      .array(z.string().regex(ALLOWED_HOST, { error: HOST_EXPECTED }))
      .default([])
      .describe(
        'Values of the `Host` header that are accepted besides the address itself. A request with a valid token is accepted whatever its `Host`; with tokens `*` may stand here to say so.',
      ),
    bodyLimit: size({ min: 1024, bounds: 'at least 1KiB' })
      .prefault('1MiB')
      .describe('Largest request body. A change takes a restart.'),
    gracePeriod: duration().prefault('30s').describe('How long running runs may go on after SIGTERM.'),
    runMemory: size({ min: LEAST_RUN_MEMORY_BYTES, bounds: 'at least 64MiB' })
      .exactOptional()
      .describe(
        'Memory of one run; its process is ended when it takes more, and the run may be repeated. The default is 4GiB, or less where the machine, or the limit of the container, has not so much for each of `concurrency` runs.',
      ),
    runHeartbeatTimeout: duration()
      .prefault('2m')
      .describe('How long the process of a run may give no sign of life before it is ended.'),
    queueLimit: z
      .int()
      .min(1)
      .max(100_000)
      .default(100)
      .describe('Runs of one activation that may wait; further requests are refused.'),
    history: z
      .strictObject({
        keepFor: duration()
          .prefault('90d')
          .describe('How long runs stay in the history; 0 keeps them forever.'),
        keepRuns: z
          .int()
          .min(1)
          .default(1000)
          .describe(
            'Runs kept of each activation; those that a client asked for with a key, in the last 24 hours, are kept beside them.',
          ),
      })
      .prefault({})
      .describe('How much of the run history is kept.'),
    retry: z
      .strictObject({
        attempts: z
          .int()
          .min(1)
          .max(100)
          .default(3)
          .describe('Attempts of a run that fails transiently; 1 never retries.'),
        minDelay: duration()
          .prefault('10s')
          .describe('Pause before the second attempt; it doubles from there.'),
        maxDelay: duration().prefault('10m').describe('Longest pause.'),
      })
      .prefault({})
      .describe('Repetition of runs that failed for a reason that may pass.'),
    pauseAfterFailures: z
      .int()
      .min(0)
      .default(5)
      .describe('Source failures in a row after which an activation pauses itself; 0 never.'),
    publicUrl: z
      .string()
      .regex(/^https?:\/\/[^\s/?#]+[^\s]*$/, { error: PUBLIC_URL })
      .refine(value => URL.canParse(value), { error: PUBLIC_URL })
      .exactOptional()
      .describe('Where people reach the daemon: notifications link to their run there.'),
    smtp: smtp.exactOptional().describe('Mail server for notifications by e-mail.'),
  })
  .describe('Settings of `sluice serve`.');

export type DaemonConfig = z.output<typeof daemon>;
