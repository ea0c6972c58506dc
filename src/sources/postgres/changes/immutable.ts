import { withinSavepoint } from '../type-facts.ts';
import type { Expression } from './expression.ts';
import { FIRST_USER_OID } from './table-facts.ts';

/**
 * Whether an expression gives the same for the same row at any time. Only what comes with
 * the server is believed to be immutable, and only where it is the one function or
 * operator of exactly these types.
 */

interface Callable {
  readonly name: string;
  readonly arguments: readonly number[];
  readonly result: number;
  /** It is immutable, and comes with the server. */
  readonly proven: boolean;
}

/**
 * Functions that are immutable by name only: zones are read from files of the server, and
 * names of log files have its timeline.
 */
const DEPENDENT = ['timezone', 'pg_walfile_name', 'pg_walfile_name_offset'];

interface Cast {
  readonly from: number;
  readonly to: number;
}

/** What the catalogue knows of what expressions name. */
export interface NamedThings {
  /** By the text of a type: its oid; 0 where it is not known. */
  readonly types: Readonly<Record<string, number>>;
  /** By the oid of an array: that of its elements. */
  readonly elements: Readonly<Record<string, number>>;
  readonly functions: readonly Callable[];
  readonly operators: readonly Callable[];
  /** Those that are immutable, and come with the server. */
  readonly casts: readonly Cast[];
}

/** The query whose result is one `NamedThings`. */
export function namedThingsQuery(
  expressions: readonly Expression[],
  literal: (text: string) => string,
): string {
  const types = new Set(['boolean']);
  const functions = new Set<string>();
  const operators = new Set<string>();
  const visit = (expression: Expression): void => {
    if ('type' in expression) types.add(expression.type);
    if (expression.kind === 'call') functions.add(expression.name);
    if (expression.kind === 'operator' || expression.kind === 'any') operators.add(expression.name);
    for (const operand of operandsOf(expression)) visit(operand);
  };
  for (const expression of expressions) visit(expression);
  const array = (texts: Iterable<string>): string => `array[${[...texts].map(literal).join()}]::text[]`;
  // What a configuration of text search, say, does stands in the catalogue.
  const named = `exists (select from pg_type t where typname like 'reg%' and t.oid = any (p.proargtypes::oid[]))`;
  const proven = `p.provolatile = 'i' and p.oid < ${FIRST_USER_OID} and p.proname <> all (${array(DEPENDENT)}) and not ${named}`;
  return withinSavepoint(`
    set local search_path = pg_catalog;
    select json_build_object(
      'types', (select json_object_agg(name, coalesce(to_regtype(name)::oid::int8, 0)) from unnest(${array(types)}) name),
      'elements', (select json_object_agg(oid, typelem::int8) from pg_type
        where oid in (select to_regtype(name) from unnest(${array(types)}) name) and typcategory = 'A'),
      'functions', (select coalesce(json_agg(json_build_object('name', p.proname, 'arguments', p.proargtypes::oid[]::int8[],
          'result', p.prorettype::int8, 'proven', ${proven} and p.prokind = 'f' and not p.proretset)), '[]')
        from pg_proc p where p.proname = any (${array(functions)})),
      'operators', (select coalesce(json_agg(json_build_object('name', o.oprname, 'arguments', array[o.oprleft, o.oprright]::int8[],
          'result', o.oprresult::int8, 'proven', ${proven})), '[]')
        from pg_operator o join pg_proc p on p.oid = o.oprcode where o.oprname = any (${array(operators)})),
      'casts', (select coalesce(json_agg(json_build_object('from', castsource::int8, 'to', casttarget::int8)), '[]')
        from pg_cast left join pg_proc p on p.oid = castfunc
        where pg_cast.oid < ${FIRST_USER_OID} and (castmethod = 'b' or castmethod = 'f' and ${proven})
          and casttarget in (select to_regtype(name) from unnest(${array(types)}) name))) as found;`);
}

function operandsOf(expression: Expression): readonly Expression[] {
  if ('operands' in expression) return expression.operands;
  return 'operand' in expression ? [expression.operand] : [];
}

/**
 * The type of what the expression gives, where it is proven to be immutable; else
 * `undefined`.
 */
export function provenType(
  expression: Expression,
  columns: ReadonlyMap<string, number>,
  things: NamedThings,
): number | undefined {
  const typeOf = (operand: Expression): number | undefined => provenType(operand, columns, things);
  const boolean = things.types.boolean!;
  switch (expression.kind) {
    case 'column':
      return columns.get(expression.name);
    case 'constant':
      return things.types[expression.type] || undefined;
    case 'logic':
      return expression.operands.every(operand => typeOf(operand) === boolean) ? boolean : undefined;
    case 'test':
      return typeOf(expression.operand) === undefined ? undefined : boolean;
    case 'operator':
      return resultOf(things.operators, expression.name, expression.operands.map(typeOf));
    case 'any': {
      const [first, array] = expression.operands.map(typeOf);
      const element = things.elements[String(array)];
      return resultOf(things.operators, expression.name, [first, element]);
    }
    case 'call':
      return resultOf(things.functions, expression.name, expression.operands.map(typeOf));
    case 'cast': {
      const from = typeOf(expression.operand);
      const to = things.types[expression.type];
      if (from === undefined || !to) return undefined;
      return from === to || things.casts.some(cast => cast.from === from && cast.to === to) ? to : undefined;
    }
  }
}

/**
 * The result of all that could be meant, in whatever schema, where each of them is
 * proven.
 */
function resultOf(
  callables: readonly Callable[],
  name: string,
  types: readonly (number | undefined)[],
): number | undefined {
  const meant = callables.filter(
    callable =>
      callable.name === name &&
      callable.arguments.length === types.length &&
      callable.arguments.every((type, index) => type === types[index]),
  );
  return meant.every(({ proven }) => proven) ? meant[0]?.result : undefined;
}
