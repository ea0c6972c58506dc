/**
 * Rules that look at several keys at once, as data: which keys a rule reads, and what is
 * wrong with them.
 */

import { isAscii } from 'node:buffer';
import { apiTokens } from '../api-tokens.ts';
import { contentFault, FILE, resolveCompletionName } from '../completion.ts';
import { type FileNameOptions, partName, placeholderValues, resolveFileName } from '../file-name.ts';
import { closedBy } from '../format-kinds.ts';
import type { ActivationConfig, CsvFormat, DaemonConfig, ModelConfig } from '../schema/schema.ts';
import type { KeyPath } from '../tree/located-tree.ts';
import { csvAmbiguities } from './csv-ambiguity.ts';
import { PARTITION_RULES } from './partition-rules.ts';
import { type Finding, finding, firstRepeated, nameFault, type Rule, type Writing } from './rule.ts';

const MOST_GZIP_LEVEL = 9;
const LONGEST_RUN_ID = 'r'.repeat(40);
const TRIAL_INSTANT = new Date('2025-04-14T12:34:56.789Z');
const TRIAL_VALUES = placeholderValues({
  instant: TRIAL_INSTANT,
  run: LONGEST_RUN_ID,
  activation: 'activation',
  model: 'model',
  mode: 'difference',
  kind: 'delta',
});

function formatFindings(format: ActivationConfig['format']): Finding[] {
  const found: Finding[] = [];
  if (format.type !== 'parquet' && format.level !== undefined) {
    const { compression, level } = format;
    if (compression === 'none')
      found.push(
        finding(['format', 'level'], 'is set with compression none; it needs compression gzip or zstd'),
      );
    if (compression === 'gzip' && level > MOST_GZIP_LEVEL)
      found.push(
        finding(
          ['format', 'level'],
          `is ${level}, and gzip has levels from 1 to ${MOST_GZIP_LEVEL}; expected one of them, or compression zstd`,
        ),
      );
  }
  if (format.type === 'parquet' && format.engine === 'library' && format.compression === 'zstd') {
    found.push(
      finding(
        ['format', 'compression'],
        'is zstd with engine library, whose package cannot write it; expected snappy, gzip or none, or engine fast',
      ),
    );
  }
  if (format.type !== 'csv') return found;
  if (format.engine === 'library' && format.escapeChar.length > 1) {
    found.push(
      finding(
        ['format', 'escapeChar'],
        'is more than one UTF-16 character, which engine library cannot write; expected another character, or engine fast',
      ),
    );
  }
  for (const { option, reason } of csvAmbiguities(format)) {
    found.push(finding(['format', option], reason));
  }
  return [...found, ...encodingFindings(format)];
}

function encodingFindings(format: CsvFormat): Finding[] {
  const { encoding = 'utf-8', bom, nullText, booleans } = format;
  if (encoding === 'utf-8' || encoding === 'utf-16le') return [];
  const found: Finding[] = [];
  if (bom) found.push(finding(['format', 'bom'], `is true, and ${encoding} has no byte order mark`));
  const { delimiter, quoteChar, escapeChar } = format;
  const texts = { delimiter, quoteChar, escapeChar, nullText, booleans: booleans.join('') };
  for (const [option, text] of Object.entries(texts)) {
    // What both have beyond it depends on the encoding; nobody needs more of an option.
    if (isAscii(Buffer.from(text))) continue;
    found.push(finding(['format', option], `is not plain ASCII, and the encoding is ${encoding}`));
  }
  return found;
}

interface NameTrial extends Omit<FileNameOptions, 'instant' | 'run' | 'kind'> {
  readonly folder: string;
}

/**
 * Why the names that an activation would give are refused, tried with the longest values
 * that a run can bring.
 */
export function fileNameFault({ folder, ...options }: NameTrial): string | undefined {
  return nameFault(() => {
    const name = resolveFileName({ ...options, instant: TRIAL_INSTANT, run: LONGEST_RUN_ID, kind: 'delta' });
    const change = options.mode === 'difference' ? ({ change: 'removed' } as const) : {};
    partName(name, 100_000, { ...change, folder });
  });
}

export const ACTIVATION_RULES: readonly Rule<ActivationConfig>[] = [
  {
    reads: ['model', 'segment'],
    check: ({ model, segment }) => {
      if (model !== undefined && segment !== undefined) {
        return finding(['segment'], 'stands beside model; expected exactly one of model and segment');
      }
      if (model === undefined && segment === undefined) {
        return finding([], 'has neither model nor segment; expected exactly one of them');
      }
      return undefined;
    },
  },
  {
    reads: ['runType', 'syncMode'],
    check: ({ runType, syncMode }) =>
      runType === 'full_only' && syncMode === 'difference'
        ? finding(
            ['syncMode'],
            'is difference with runType full_only, which keeps no state to take a difference against; expected runType full_then_delta, or syncMode snapshot, upsert or insert',
          )
        : undefined,
  },
  {
    reads: ['runType', 'syncMode'],
    check: ({ runType, syncMode }, { given }) =>
      runType === 'full_then_delta' && syncMode === 'snapshot'
        ? finding(
            given.has('syncMode') ? ['syncMode'] : ['runType'],
            `is ${given.has('syncMode') ? 'snapshot with runType full_then_delta' : 'full_then_delta with syncMode snapshot (the default)'}; a snapshot writes every row in every run, so there is no delta; expected syncMode upsert, insert or difference, or runType full_only`,
          )
        : undefined,
  },
  {
    reads: ['ifExists', 'syncMode'],
    check: ({ ifExists, syncMode }) =>
      ifExists === 'append' && syncMode !== 'insert'
        ? finding(
            ['ifExists'],
            `is append with syncMode ${syncMode}; only insert adds nothing but new rows, so append needs it`,
          )
        : undefined,
  },
  {
    reads: ['ifExists', 'runType'],
    check: ({ ifExists, runType }) =>
      ifExists === 'append' && runType === 'full_only'
        ? finding(
            ['ifExists'],
            'is append with runType full_only, which would add every row again; expected full_then_delta',
          )
        : undefined,
  },
  {
    reads: ['ifExists', 'format'],
    check: ({ ifExists, format }) =>
      ifExists === 'append' && closedBy(format) !== undefined
        ? finding(
            ['ifExists'],
            `is append with format ${format.type}, ${closedBy(format)}; expected csv, json or xml`,
          )
        : undefined,
  },
  {
    reads: ['ifExists', 'blob'],
    check: ({ ifExists, blob }) =>
      ifExists === 'append' && blob?.accessTier === 'Archive'
        ? finding(
            ['ifExists'],
            'is append with blob.accessTier Archive; an archived blob cannot be written to',
          )
        : undefined,
  },
  {
    reads: ['consistency', 'runType'],
    check: ({ consistency, runType }) =>
      consistency === 'slice' && runType !== 'full_only'
        ? finding(
            ['consistency'],
            'is slice with runType full_then_delta, whose rows are compared in one snapshot; expected snapshot, or runType full_only',
          )
        : undefined,
  },
  {
    reads: ['changeDetection', 'runType'],
    check: ({ changeDetection, runType }) =>
      changeDetection !== 'full' && runType === 'full_only'
        ? finding(
            ['changeDetection'],
            `is ${changeDetection} with runType full_only, which looks for no changes; expected full_then_delta`,
          )
        : undefined,
  },
  {
    reads: ['changeDetection', 'fullCompareEvery'],
    check: ({ changeDetection }, { given }) =>
      given.has('fullCompareEvery') && changeDetection === 'full'
        ? finding(
            ['fullCompareEvery'],
            'is set with changeDetection full, which compares every row in every run; expected xmin or auto',
          )
        : undefined,
  },
  {
    reads: ['removedRows', 'syncMode'],
    check: ({ syncMode }, { given }) =>
      given.has('removedRows') && syncMode !== 'difference'
        ? finding(['removedRows'], `is set with syncMode ${syncMode}; only difference writes removed rows`)
        : undefined,
  },
  {
    reads: ['warnings', 'runType', 'syncMode'],
    check: ({ warnings, runType, syncMode }) =>
      warnings.removedRowsOver !== undefined && (runType === 'full_only' || syncMode === 'insert')
        ? finding(
            ['warnings', 'removedRowsOver'],
            `is set with runType ${runType} and syncMode ${syncMode}, where no row is ever removed; it protects full_then_delta with upsert or difference`,
          )
        : undefined,
  },
  {
    reads: ['mapping'],
    check: ({ mapping = [] }, { show }) => {
      const names = mapping.map(column => column.to);
      const repeated = firstRepeated(names);
      const path = ['mapping', repeated];
      return repeated < 0
        ? undefined
        : finding(path, `writes a second column named ${show(path, names[repeated] ?? '')}; each name once`);
    },
  },
  ...PARTITION_RULES,
  { reads: ['format'], check: ({ format }) => formatFindings(format) },
  { reads: ['completion', 'ifExists', 'format'], check: completionFindings },
];

function completionFindings(
  { completion = {}, ifExists, format }: ActivationConfig,
  { show }: Writing,
): Finding[] {
  const { success, control } = completion;
  if (success === undefined && control === undefined)
    return [finding(['completion'], 'has neither success nor control; expected at least one of them')];
  const found: Finding[] = [];
  const checkName = (path: KeyPath, name: string, rule: () => unknown): void => {
    const fault = nameFault(rule);
    if (fault !== undefined)
      found.push(finding(path, `is ${show(path, name)}; the name of a completion file ${fault}`));
  };
  if (success !== undefined) {
    const path = ['completion', 'success'];
    if (success.includes('/'))
      found.push(
        finding(
          path,
          `is ${show(path, success)}; it lies in the folder of the files, so it must not name one`,
        ),
      );
    else checkName(path, success, () => resolveCompletionName(success, TRIAL_VALUES));
    if (success.includes(FILE)) {
      found.push(
        finding(path, 'holds {file}; there is one for all files, and completion.control has one for each'),
      );
    }
  }
  if (control !== undefined) {
    const path = ['completion', 'control', 'name'];
    checkName(path, control.name, () => resolveCompletionName(control.name, TRIAL_VALUES, 'file'));
    const fault = contentFault(control, { appends: ifExists === 'append', checksums: format?.checksums });
    if (fault !== undefined) found.push(finding(['completion', 'control', 'content'], fault));
  }
  return found;
}

export const MODEL_RULES: readonly Rule<ModelConfig>[] = [
  {
    reads: ['sql', 'table'],
    check: ({ sql, table }) =>
      sql !== undefined && table !== undefined
        ? finding(['table'], 'stands beside sql; expected one of sql and table')
        : undefined,
  },
  {
    reads: ['table', 'columns', 'where'],
    check: ({ table }, { given }) =>
      ['columns', 'where']
        .filter(key => given.has(key) && table === undefined)
        .map(key => finding([key], 'is set without table; what a query reads and where, its SQL says')),
  },
  {
    reads: ['columns'],
    check: ({ columns = [] }, { show }) => {
      const repeated = firstRepeated(columns);
      const path = ['columns', repeated];
      return repeated < 0
        ? undefined
        : finding(path, `names ${show(path, columns[repeated] ?? '')} again; each column once`);
    },
  },
  {
    reads: ['primaryKey'],
    check: ({ primaryKey }, { show }) => {
      const repeated = firstRepeated(primaryKey);
      const path = ['primaryKey', repeated];
      return repeated < 0
        ? undefined
        : finding(path, `names ${show(path, primaryKey[repeated] ?? '')} again; each column once`);
    },
  },
];

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/;

export const DAEMON_RULES: readonly Rule<DaemonConfig>[] = [
  {
    reads: ['host', 'tokens'],
    check: ({ host, tokens }) =>
      LOOPBACK_HOST.test(host) || apiTokens(tokens).length > 0
        ? undefined
        : finding(
            ['host'],
            'is reachable from other machines, but there is no token; expected one in daemon.tokens',
          ),
  },
  {
    reads: ['tokens'],
    check: ({ tokens }, { show }) => {
      if (!Array.isArray(tokens)) return undefined;
      const named = firstRepeated(tokens.map(({ name }) => name));
      const path = ['tokens', named, 'name'];
      if (named >= 0)
        return finding(path, `is ${show(path, tokens[named]!.name)} again; each token has a name of its own`);
      const shown = tokens.map(({ token }) => token.reveal());
      const same = firstRepeated(shown);
      return same < 0
        ? undefined
        : finding(
            ['tokens', same, 'token'],
            `is the one of ${tokens[shown.indexOf(shown[same]!)]!.name}; nobody could tell the two apart`,
          );
    },
  },
  {
    reads: ['allowedHosts', 'tokens'],
    check: ({ allowedHosts, tokens }) =>
      !allowedHosts.includes('*') || apiTokens(tokens).length > 0
        ? undefined
        : finding(
            ['allowedHosts', allowedHosts.indexOf('*')],
            'is "*", but there is no token, so that any web page could reach the daemon under a name of its own (DNS rebinding); expected names of hosts, or a token in daemon.tokens',
          ),
  },
  {
    reads: ['retry'],
    check: ({ retry }) =>
      retry.minDelay > retry.maxDelay
        ? finding(['retry', 'minDelay'], 'is longer than retry.maxDelay; expected at most that')
        : undefined,
  },
];
