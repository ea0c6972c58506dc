import { FIRST_USER_OID } from '../changes/table-facts.ts';
import { withinSavepoint } from '../type-facts.ts';

/**
 * Whether a condition looks at the time. Readers share a snapshot, but each has a
 * transaction, and with it a time, of its own: what is left out would differ between
 * slices.
 */

/** As plans show them; they are part of the server. */
const TIMES =
  /\b(?:now|age|transaction_timestamp|statement_timestamp)\(|\b(?:CURRENT_(?:DATE|TIME)|LOCALTIME)/;
/** A plan shows only the constants that these have become. */
const TIME_WORDS = /'\s*(?:now|today|tomorrow|yesterday)\b/i;
const LITERALS = /E?'(?:[^']|'')*'/g;
const CALLED = /(?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_]*))\(/g;

export interface ShownCondition {
  /** What users wrote. */
  readonly written: readonly string[];
  /** What the plan makes of it, and of the policies of rows. */
  readonly planned: string;
}

export function looksAtTime({ written, planned }: ShownCondition): boolean {
  return TIMES.test(planned.replace(LITERALS, '')) || written.some(text => TIME_WORDS.test(text));
}

/**
 * The query whose result is whether the condition calls a function of the database that
 * may give something else at another time; `undefined` where it calls none at all.
 */
export function ownFunctionsQuery(
  { planned }: ShownCondition,
  literal: (text: string) => string,
): string | undefined {
  const called = [...planned.replace(LITERALS, '').matchAll(CALLED)];
  if (called.length === 0) return undefined;
  const names = called.map(([, quoted, plain]) => literal(quoted?.replaceAll('""', '"') ?? plain!));
  return withinSavepoint(`
    set local search_path = pg_catalog;
    select exists (select from pg_proc
      where proname = any (array[${names.join()}]) and provolatile <> 'i' and oid >= ${FIRST_USER_OID}) as found;`);
}
