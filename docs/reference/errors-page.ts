/**
 * The page docs/reference/errors.md: every code that a run, a check or a request can end
 * with, and what to do.
 */

import { ERRORS, EXITS, HELD, raisedWhen, WARNINGS } from '../../src/daemon/code-meanings.ts';
import type { ActivationWarningCode } from '../../src/daemon/notify/notification.ts';
import { ERROR_KINDS, type ErrorCode, EXIT } from '../../src/errors.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

export function errorsReference(): string {
  const errors = Object.entries(ERRORS).map(([name, when]) => {
    const { retryable, exitCode, status, hint } = ERROR_KINDS[name as ErrorCode];
    return [`\`${name}\``, when, retryable ? 'yes' : 'no', `${exitCode}`, `${status}`, hint];
  });
  const held = Object.entries(HELD).map(([name, cells]) => [`\`${name}\``, ...cells]);
  const warnings = Object.entries(WARNINGS).map(([name, advice]) => [
    `\`${name}\``,
    raisedWhen(name as ActivationWarningCode),
    advice,
  ]);
  const exits = Object.entries(EXITS).map(([name, cells]) => [
    `${EXIT[name as keyof typeof EXIT]}`,
    ...cells,
  ]);
  return `# Codes and what to do

<!-- Made from src/errors.ts and the rules of warnings by \`npx tsx docs/reference/generate.ts\`; do not edit. -->

Codes never change: scripts and dashboards may match on them. Messages do. Each error says what failed, on which thing, what was
seen, and what to do; where its own advice is more exact than the one here, it is the better one.

## Exit codes

${table(['exit code', 'meaning', 'what to do'], exits)}

With several activations the first of these that occurs is returned: 130, 2, 1, 75, 3, 0.

## Errors

**Retry** says whether the same run may succeed later. **Exit** is the exit code of the command, **HTTP** the status of a request to
the daemon that failed so. An error may know better than its kind: what counts is \`retryable\` of its record, and the exit code,
which is then 75 or 1. The daemon repeats what may succeed by itself (\`daemon.retry\`).

${table(['code', 'happens when', 'retry', 'exit', 'HTTP', 'what to do'], errors)}

## Reasons of runs that are held

A held run publishes nothing, keeps the baseline and has exit code 3. Over HTTP a trigger lets it through with
\`{"allowRemovals": true}\` or \`{"full": true}\`.

${table(['reason', 'happens when', 'what lets it through'], held)}

## Warnings

The export works, or the daemon waits for somebody: see [warnings and notifications](../guide/warnings.md).

${table(['code', 'raised when', 'what to do'], warnings)}
`;
}
