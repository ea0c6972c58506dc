import { SluiceError } from '../../errors.ts';
import type { Converted, Session } from './connection/settings.ts';
import { OBJECT_OUTPUTS, type ObjectNames } from './object-names.ts';
import { OPEN_TYPES, type TypeCatalogue, type TypeFacts } from './type-facts.ts';
import { FLOAT_TEXTS } from './values/geometry-text.ts';
import {
  arrayText,
  multirangeText,
  type Part,
  type PartOf,
  rangeText,
  recordText,
  vectorText,
} from './values/nested-text.ts';
import { type FieldFormat, Way, writtenText } from './values/row-conversion.ts';
import { SCALAR_TEXTS } from './values/scalar-text.ts';
import type { ValueText } from './values/value-text.ts';

const DATE_TIME: readonly Converted[] = ['DateStyle', 'TimeZone'];

/**
 * Types that the loop in WebAssembly writes, by their output functions: how, and which
 * settings their own text depends on.
 */
const WRITTEN: Readonly<Record<string, { readonly way: Way; readonly depends: readonly Converted[] }>> = {
  date_out: { way: Way.date, depends: ['DateStyle'] },
  time_out: { way: Way.time, depends: [] },
  timetz_out: { way: Way.timetz, depends: [] },
  timestamp_out: { way: Way.timestamp, depends: ['DateStyle'] },
  timestamptz_out: { way: Way.timestamptz, depends: DATE_TIME },
  interval_out: { way: Way.interval, depends: ['IntervalStyle'] },
  byteaout: { way: Way.bytea, depends: ['bytea_output'] },
  pg_mcv_list_out: { way: Way.bytea, depends: ['bytea_output'] },
  cash_out: { way: Way.money, depends: ['lc_monetary'] },
};

/** Since PostgreSQL 17. */
const FIRST_INFINITE_INTERVALS = 17;

/** Types of other values, by their output functions. */
const NESTED: Readonly<Record<string, (partOf: PartOf, part: number) => ValueText>> = {
  array_out: arrayText,
  anyarray_out: arrayText,
  int2vectorout: vectorText,
  oidvectorout: vectorText,
  record_out: recordText,
  range_out: (partOf, bound) => rangeText((...value) => partOf(bound).text(...value)),
  multirange_out: (partOf, range) => multirangeText((...value) => partOf(range).text(...value)),
};

/** What a type's text depends on, all that it can hold included. */
interface Dependence {
  readonly settings: ReadonlySet<Converted>;
  /** Output functions of types that name objects. */
  readonly objects: ReadonlySet<string>;
  /** Whether there is a type in it whose binary form is not known here. */
  readonly hasUnknown: boolean;
  /** All types that values can hold. */
  readonly reached: ReadonlySet<number>;
}

/** In which form values of each type come, and how their text is made of it. */
export class ResultFormats {
  readonly #types: TypeCatalogue;
  readonly #session: Session;
  readonly #parts = new Map<number, Part>();
  /** Holds the names of all objects in `objectsIn` before the first value comes. */
  names: ObjectNames = new Map();

  constructor(types: TypeCatalogue, session: Session) {
    this.#types = types;
    this.#session = session;
  }

  /** The output functions of types that name objects. */
  objectsIn(oids: readonly number[]): string[] {
    return [...new Set(oids.flatMap(oid => [...this.#dependenceOf(oid).objects]))];
  }

  /**
   * Where values can neither come as the text that they are to have, nor be understood in
   * binary.
   */
  whyUnreadable(oid: number): string | undefined {
    const wrong = this.#wrongSettings(oid);
    if (wrong.length === 0 || !this.#dependenceOf(oid).hasUnknown) return undefined;
    return `holds values whose text depends on ${wrong.join(' and ')}, beside others whose binary form is not known`;
  }

  /**
   * What the text of a value depends on beside its bytes and the labels of enums;
   * `undefined` where on nothing.
   */
  dependsOn(oid: number): string | undefined {
    const { objects, hasUnknown, reached } = this.#dependenceOf(oid);
    const outputs = new Set([...reached].map(type => this.#factsOf(type).output));
    if (objects.size > 0) return 'names of objects in the catalogue';
    if (outputs.has('record_out')) return 'the columns of a composite type';
    if (outputs.has('cash_out')) return 'a currency';
    return hasUnknown ? 'a type that is not known here' : undefined;
  }

  /** Enums among the types that values can hold. */
  enumsIn(oids: readonly number[]): number[] {
    const reached = new Set(oids.flatMap(oid => [...this.#dependenceOf(oid).reached]));
    return [...reached].filter(oid => this.#factsOf(oid).type === 'e').sort((a, b) => a - b);
  }

  /**
   * The server's text costs nothing here, where the session's settings make it the right
   * one.
   */
  formatOf(oid: number): FieldFormat {
    const { text } = this.#partOf(oid);
    if (this.#wrongSettings(oid).length === 0) return { way: Way.copy, parameter: 0, text };
    const way = WRITTEN[this.#factsOf(oid).output]?.way ?? Way.call;
    return { way, parameter: this.#parameterOf(way), text };
  }

  /** Settings that have to stay as they are while values of these types are read. */
  reliedOn(oids: readonly number[]): Set<Converted> {
    const comeAsText = oids.filter(oid => this.#wrongSettings(oid).length === 0);
    return new Set(comeAsText.flatMap(oid => [...this.#dependenceOf(oid).settings]));
  }

  /** Settings under which the server's text is another than it is to be. */
  #wrongSettings(oid: number): Converted[] {
    return [...this.#dependenceOf(oid).settings].filter(setting => !this.#session.canonical.has(setting));
  }

  #dependenceOf(oid: number): Dependence {
    const settings = new Set<Converted>();
    const objects = new Set<string>();
    const seen = new Set<number>();
    let hasUnknown = false;
    const visit = (oid: number): void => {
      if (seen.has(oid)) return;
      seen.add(oid);
      const { output, sends, element, base, part, fields } = this.#factsOf(oid);
      if (OPEN_TYPES.includes(oid)) {
        // Anything can be in them.
        for (const each of Object.values(WRITTEN)) for (const setting of each.depends) settings.add(setting);
        for (const object of OBJECT_OUTPUTS) objects.add(object);
      } else if (base !== 0) {
        // A domain has its output function from there.
        visit(base);
      } else if (output in NESTED) {
        for (const inner of [element, part, ...fields]) if (inner !== 0) visit(inner);
      } else if (OBJECT_OUTPUTS.includes(output)) {
        objects.add(output);
        settings.add('search_path');
      } else if (output in FLOAT_TEXTS) {
        settings.add('extra_float_digits');
      } else {
        for (const setting of WRITTEN[output]?.depends ?? []) settings.add(setting);
        if (!(output in WRITTEN) && !(output in SCALAR_TEXTS)) hasUnknown = true;
      }
      if (!sends) hasUnknown = true;
    };
    visit(oid);
    return { settings, objects, hasUnknown, reached: seen };
  }

  #factsOf(oid: number): TypeFacts {
    const facts = this.#types.get(oid);
    if (facts !== undefined) return facts;
    throw new SluiceError('SOURCE_QUERY_FAILED', `a value holds one of the unknown type ${oid}`, {
      stage: 'source',
    });
  }

  /** Types may hold themselves: what is within one is looked for when a value comes. */
  readonly #partOf = (oid: number): Part => {
    const known = this.#parts.get(oid);
    if (known !== undefined) return known;
    const facts = this.#factsOf(oid);
    const part = { text: this.#textOf(facts), delimiter: facts.delimiter };
    this.#parts.set(oid, part);
    return part;
  };

  #textOf({ oid, output, base, part }: TypeFacts): ValueText {
    if (base !== 0) return this.#partOf(base).text;
    const nested = NESTED[output];
    if (nested !== undefined) return nested(this.#partOf, part);
    if (OBJECT_OUTPUTS.includes(output)) return this.#objectText(output);
    const known = SCALAR_TEXTS[output] ?? FLOAT_TEXTS[output];
    if (known !== undefined) return known;
    const way = WRITTEN[output]?.way;
    if (way !== undefined) return writtenText(way, this.#parameterOf(way));
    return () => {
      const message = `a value holds one of type ${oid} (${output}), whose binary form is not known`;
      const hint = 'cast the column to text in the model: column::text';
      throw new SluiceError('SOURCE_QUERY_FAILED', message, { stage: 'source', hint });
    };
  }

  #parameterOf(way: Way): number {
    if (way === Way.money) return this.#session.moneyScale;
    return way === Way.interval && this.#session.version >= FIRST_INFINITE_INTERVALS ? 1 : 0;
  }

  #objectText(output: string): ValueText {
    return (bytes, start) => {
      const oid = bytes.readUInt32BE(start);
      if (oid === 0) return '-';
      const name = this.names.get(output)?.[oid] ?? String(oid);
      return Buffer.from(name).toString('latin1');
    };
  }
}
