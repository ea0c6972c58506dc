/** The types of parameters: which texts they take, and how equal values are one text. */

export const PARAMETER_TYPES = ['text', 'int', 'number', 'boolean', 'date', 'timestamp'] as const;
export type ParameterType = (typeof PARAMETER_TYPES)[number];

export interface BoundParameter {
  readonly type: ParameterType;
  /** As `TYPE_FACTS` has it; `null` is NULL. */
  readonly value: string | null;
}

/** By name. */
export type BoundParameters = Readonly<Record<string, BoundParameter>>;

interface TypeFacts {
  /** As it follows "expected". */
  readonly expected: string;
  /** The one text of the value; `undefined` where the text is of no value. */
  readonly canonical: (text: string) => string | undefined;
}

/** Values are kept with the record of each run. */
const MAX_TEXT = 8_192;

const INT8_LIMIT = 2n ** 63n;

export const TYPE_FACTS: Readonly<Record<ParameterType, TypeFacts>> = {
  text: {
    expected: 'text of up to 8,192 characters, none of code 0',
    canonical: text => (text.length > MAX_TEXT || text.includes('\0') ? undefined : text),
  },
  int: {
    expected: 'a whole number of 64 bits',
    canonical: text => {
      if (!/^[+-]?\d{1,19}$/.test(text)) return undefined;
      const value = BigInt(text.replace(/^\+/, ''));
      return value >= -INT8_LIMIT && value < INT8_LIMIT ? value.toString() : undefined;
    },
  },
  number: {
    expected: 'a decimal number such as 12.5',
    canonical: text => (/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?$/.test(text) ? text : undefined),
  },
  boolean: {
    expected: 'true or false',
    canonical: text => (text === 'true' || text === 'false' ? text : undefined),
  },
  date: { expected: 'a date such as 2025-04-14', canonical: text => (isDate(text) ? text : undefined) },
  timestamp: {
    expected: 'an instant with its offset, such as 2025-04-14T07:00:00Z',
    canonical: canonicalTimestamp,
  },
};

function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || text.startsWith('0000')) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

const TIMESTAMP = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d(?::?\d\d)?)$/;

/** In UTC, with no more digits behind the second than it has. */
function canonicalTimestamp(text: string): string | undefined {
  const [, date = '', minute = '', second = '00', fraction = '', offset = ''] = TIMESTAMP.exec(text) ?? [];
  if (!isDate(date)) return undefined;
  const zone = offset === 'Z' ? 'Z' : `${offset.slice(0, 3)}:${offset.slice(3).replace(':', '') || '00'}`;
  const instant = new Date(`${date}T${minute}:${second}${zone}`);
  if (Number.isNaN(instant.getTime()) || instant.getUTCFullYear() < 1) return undefined;
  const digits = fraction.replace(/0+$/, '');
  return instant.toISOString().replace(/\.\d+Z$/, `${digits === '' ? '' : `.${digits}`}Z`);
}
