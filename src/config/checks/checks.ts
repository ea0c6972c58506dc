/**
 * What the schema cannot say: names that must exist, combinations that cannot work, file
 * names that would meet.
 *
 * Works on entries that may be broken in places: what can be judged without the broken
 * keys is judged, so that all problems come at once.
 */

import type * as z from 'zod';
import { FILE } from '../completion.ts';
import { destinationRules, placeOf } from '../destinations/destinations.ts';
import { fileKinds, normalizeFolder, parseTemplate } from '../file-name.ts';
import { extensionOf } from '../format-kinds.ts';
import { STATE_FOLDER } from '../plan-name.ts';
import { addressFaults } from '../postgres/postgres-address.ts';
import {
  type ActivationConfig,
  configSchema,
  type DestinationConfig,
  NAMED_SECTIONS,
  type NamedSection,
  type ParsedConfig,
} from '../schema/schema.ts';
import { postgresAddressKeys } from '../schema/schema-postgres.ts';
import type { StateConfig } from '../schema/schema-state.ts';
import {
  type ConfigProblem,
  childOf,
  type KeyPath,
  type LocatedMap,
  showPlace,
} from '../tree/located-tree.ts';
import { meetings, type NamedFiles, namePatterns } from './blob-name-patterns.ts';
import { controlPatterns, successPatterns } from './completion-patterns.ts';
import { type Entry, type EntryOf, entryOf, modelNameOf, objectSchema, type Sections } from './entry.ts';
import { knownNames } from './nearest-name.ts';
import { parameterFindings } from './parameter-checks.ts';
import type { ProblemWriter } from './problems.ts';
import { queueFindings } from './queue-findings.ts';
import { type Finding, nameFault, type Rule } from './rule.ts';
import { ACTIVATION_RULES, DAEMON_RULES, fileNameFault, MODEL_RULES } from './rules.ts';
import { planPatterns } from './state-patterns.ts';
import { STATE_RULES } from './state-rules.ts';

class Checker {
  readonly problems: ConfigProblem[] = [];
  readonly #root: LocatedMap;
  readonly #writer: ProblemWriter;
  readonly #whole: ParsedConfig | undefined;
  readonly #sections: Sections;
  #state: Entry<StateConfig> | undefined;

  constructor(root: LocatedMap, writer: ProblemWriter, whole: ParsedConfig | undefined) {
    this.#root = root;
    this.#writer = writer;
    this.#whole = whole;
    this.#sections = {
      sources: this.#entries('sources'),
      destinations: this.#entries('destinations'),
      models: this.#entries('models'),
      segments: this.#entries('segments'),
      activations: this.#entries('activations'),
    };
  }

  check(): void {
    this.#checkAddresses();
    for (const entry of this.#sections.destinations.values()) {
      if (entry.value.type !== undefined) this.#apply(destinationRules(entry.value.type), entry);
    }
    for (const entry of this.#sections.models.values()) this.#apply(MODEL_RULES, entry);
    for (const entry of this.#sections.activations.values()) this.#apply(ACTIVATION_RULES, entry);
    const { daemon, state } = configSchema.shape;
    const daemonEntry = this.#entry('daemon', daemon.def.innerType, this.#whole?.daemon);
    if (daemonEntry !== undefined) this.#apply(DAEMON_RULES, daemonEntry);
    this.#state = this.#entry('state', state.def.innerType, this.#whole?.state);
    if (this.#state !== undefined) this.#checkState(this.#state);
    this.#checkNames();
    this.#checkModels();
    for (const { path, message } of parameterFindings(this.#sections)) this.#report(path, message);
    if (this.#root.entries.has('queue'))
      for (const { path, message } of queueFindings(this.#sections, this.#root.entries.has('state')))
        this.#report(path, message);
    this.#checkKeys();
    this.#checkDetection();
    this.#checkMail();
    this.#checkSpelling();
    this.#checkFileNames();
  }

  #entries<S extends NamedSection>(section: S): Map<string, Entry<EntryOf<S>>> {
    const entries = new Map<string, Entry<EntryOf<S>>>();
    for (const [name, node] of this.#nodes(section)) {
      if (node.kind !== 'map') continue;
      const schema = objectSchema(NAMED_SECTIONS[section], node);
      const whole = this.#whole?.[section][name] as EntryOf<S> | undefined;
      const entry = schema && entryOf<EntryOf<S>>(schema, node, [section, name], whole);
      if (entry !== undefined) entries.set(name, entry);
    }
    return entries;
  }

  /** A section that is one entry, where it is there. */
  #entry<T>(section: string, schema: z.ZodObject, whole: T | undefined): Entry<T> | undefined {
    const node = this.#root.entries.get(section);
    return node?.kind === 'map' ? entryOf<T>(schema, node, [section], whole) : undefined;
  }

  #checkState(state: Entry<StateConfig>): void {
    this.#apply(STATE_RULES, state);
    const { path, value } = state;
    this.#checkName(path, 'destination', value.destination, 'destinations');
    const destination = this.#sections.destinations.get(value.destination ?? '')?.value;
    if (destination?.type !== 'folder') return;
    this.#report(
      [...path, 'destination'],
      'is a folder; expected one that every machine reaches, such as a container of azure-blob, or folder with shared: true',
    );
  }

  #nodes(section: NamedSection): LocatedMap['entries'] {
    const node = this.#root.entries.get(section);
    return node?.kind === 'map' ? node.entries : new Map();
  }

  #report(path: KeyPath, message: string): void {
    this.problems.push(this.#writer.at(path, message));
  }

  #apply<T>(rules: readonly Rule<T>[], entry: Entry<T>): void {
    const writing = {
      given: entry.given,
      show: (path: KeyPath, value: string) => this.#writer.show([...entry.path, ...path], value),
    };
    for (const rule of rules) {
      if (!rule.reads.every(key => entry.sound.has(key) && isPresent(entry, key))) continue;
      const found: Finding | Finding[] | undefined = rule.check(entry.value as T, writing);
      for (const { path, message } of found === undefined ? [] : [found].flat()) {
        this.#report([...entry.path, ...path], message);
      }
    }
  }

  /** Where each database is, as far as the schema has nothing against what says so. */
  #checkAddresses(): void {
    for (const { path, value, sound } of this.#sections.sources.values()) {
      if (value.type !== 'postgres') continue;
      const keys = ['url', 'auth', ...Object.keys(postgresAddressKeys)];
      if (!keys.every(key => sound.has(key))) continue;
      for (const { key, message } of addressFaults(value)) {
        this.#report(key === '' ? path : [...path, key], message);
      }
    }
  }

  /** Every name that an entry uses is defined, even if what it names is broken. */
  #checkNames(): void {
    const { models, segments, activations } = this.#sections;
    for (const { path, value } of models.values()) this.#checkName(path, 'source', value.source, 'sources');
    for (const { path, value } of segments.values()) this.#checkName(path, 'model', value.model, 'models');
    for (const { path, value } of activations.values()) {
      this.#checkName(path, 'model', value.model, 'models');
      this.#checkName(path, 'segment', value.segment, 'segments');
      this.#checkName(path, 'destination', value.destination, 'destinations');
    }
    this.#checkOrder();
  }

  /** What comes after others comes after some that there are, and not after itself. */
  #checkOrder(): void {
    const { activations } = this.#sections;
    const othersOf = (name: string): readonly (string | undefined)[] =>
      (activations.get(name)?.value.schedule ?? []).map(entry =>
        'after' in entry ? entry.after : undefined,
      );
    for (const [name, { path }] of activations) {
      for (const [index, other] of othersOf(name).entries()) {
        const place = [...path, 'schedule', index];
        this.#checkName(place, 'after', other, 'activations');
        const circle = other === undefined ? undefined : wayBack(name, other, othersOf);
        if (circle === undefined) continue;
        const ways = [name, ...circle].join(' after ');
        this.#report([...place, 'after'], `makes a circle, in which nothing comes first: ${ways}`);
      }
    }
  }

  #checkName(path: KeyPath, key: string, name: string | undefined, section: NamedSection): void {
    const nodes = this.#nodes(section);
    if (name === undefined || nodes.has(name)) return;
    const known = [...nodes.keys()];
    const shown = this.#writer.show([...path, key], name);
    const names = knownNames(this.#writer.isHidden([...path, key]) ? '' : name, known);
    this.#report([...path, key], `is ${shown}, which is not among ${section}; ${names}`);
  }

  #checkModels(): void {
    const { models, segments, sources } = this.#sections;
    for (const model of models.values()) {
      const type = sources.get(model.value.source ?? '')?.value.type;
      if (!model.sound.has('sql') || !model.sound.has('table') || type === undefined) continue;
      const { sql, table } = model.value;
      if (type === 'postgres' && sql === undefined && table === undefined) {
        this.#report(
          [...model.path, 'sql'],
          'is required, since the source is postgres; expected one SQL statement that reads, or a table',
        );
      }
      if (type === 'json' && sql !== undefined) {
        this.#report(
          [...model.path, 'sql'],
          'is set, but the source is json, which takes no SQL; leave it out',
        );
      }
      if (type === 'json' && table !== undefined) {
        this.#report(
          [...model.path, 'table'],
          'is set, but the source is json, which has none; leave it out',
        );
      }
    }
    for (const { path, value } of segments.values()) {
      const model = models.get(value.model ?? '');
      if (sources.get(model?.value.source ?? '')?.value.type === 'json') {
        this.#report([...path, 'where'], 'is SQL, but the source of the model is json, which takes none');
      }
    }
  }

  /** What `xmin` needs of a model, as far as the configuration shows it. */
  #checkDetection(): void {
    for (const { path, value, sound } of this.#sections.activations.values()) {
      if (!sound.has('changeDetection') || value.changeDetection !== 'xmin') continue;
      const modelName = modelNameOf(value, this.#sections);
      const model = this.#sections.models.get(modelName ?? '');
      if (!model?.sound.has('table') || model.given.has('table')) continue;
      const message = `is xmin, but models.${modelName} is not a table; expected a model with table in the place of sql, or changeDetection auto or full`;
      this.#report([...path, 'changeDetection'], message);
    }
  }

  #checkKeys(): void {
    for (const { path, value, sound } of this.#sections.activations.values()) {
      const modelName = modelNameOf(value, this.#sections);
      const model = this.#sections.models.get(modelName ?? '');
      if (!sound.has('runType') || value.runType !== 'full_then_delta') continue;
      if (model === undefined || !model.sound.has('primaryKey') || model.value.primaryKey?.length !== 0)
        continue;
      // The catalogue knows its key.
      if (model.given.has('table')) continue;
      const message = `is full_then_delta, but models.${modelName} has no primaryKey to tell rows apart by; expected one`;
      this.#report([...path, 'runType'], message);
    }
  }

  #checkMail(): void {
    const daemon = this.#root.entries.get('daemon');
    if (daemon !== undefined && childOf(daemon, 'smtp') !== undefined) return;
    for (const { path, value } of this.#sections.activations.values()) {
      for (const [index, notification] of (value.notify ?? []).entries()) {
        if ('email' in notification) {
          this.#report(
            [...path, 'notify', index, 'email'],
            'needs a mail server; expected the section daemon.smtp',
          );
        }
      }
    }
  }

  /**
   * State folders are named after activations, and some file systems do not tell upper
   * from lower case.
   */
  #checkSpelling(): void {
    const seen = new Map<string, string>();
    for (const name of this.#nodes('activations').keys()) {
      const other = seen.get(name.toLowerCase());
      if (other !== undefined) {
        this.#report(['activations', name], `differs from activation ${other} in upper and lower case only`);
      }
      seen.set(name.toLowerCase(), name);
    }
  }

  #checkFileNames(): void {
    const named = [...this.#sections.activations].flatMap(([name, entry]) => this.#filesOf(name, entry));
    if (this.#state !== undefined) named.unshift(...this.#filesOfState(this.#state));
    for (const { first, second, example } of meetings(named)) this.#reportMeeting(first, second, example);
  }

  /**
   * The names that an activation may write, unless they are refused or cannot be known.
   */
  #filesOf(name: string, { path, value, sound }: Entry<ActivationConfig>): WrittenFiles[] {
    const { fileName, timezone = 'UTC', timestampOffset = 0, syncMode = 'snapshot', partitionBy } = value;
    if (fileName === undefined || !sound.has('fileName') || !sound.has('partitionBy')) return [];
    const destination = this.#sections.destinations.get(value.destination ?? '');
    const folder = this.#soundFolder(destination);
    const extension = value.format === undefined ? '.csv' : extensionOf(value.format);
    const model = modelNameOf(value, this.#sections) ?? 'model';
    const namePath = [...path, 'fileName'];
    const shared = { template: fileName, extension, activation: name, model, mode: syncMode, partitionBy };
    const fault = fileNameFault({ ...shared, timezone, timestampOffset, folder });
    if (fault !== undefined) {
      this.#report(namePath, `is ${this.#writer.show(namePath, fileName)}; a file name ${fault}`);
      return [];
    }
    const destinationPlace = destination && isWhole(destination) ? placeOf(destination.value) : undefined;
    if (
      destination === undefined ||
      destinationPlace === undefined ||
      !sound.has('format') ||
      !sound.has('syncMode')
    )
      return [];
    const kinds = fileKinds((sound.has('runType') && value.runType) || 'full_then_delta');
    const source = { ...shared, folder: normalizeFolder(folder), kinds };
    const place = { container: destinationPlace, owner: name, folderPath: [...destination.path, 'folder'] };
    const named = [{ ...place, path: namePath, patterns: namePatterns(source) }];
    const { success, control } = (sound.has('completion') && value.completion) || {};
    const isSound = (template: string): boolean => nameFault(() => parseTemplate(template)) === undefined;
    if (success !== undefined && isSound(success)) {
      const patterns = successPatterns(source, success);
      named.push({ ...place, path: [...path, 'completion', 'success'], patterns });
    }
    if (control !== undefined && isSound(control.name.replaceAll(FILE, ''))) {
      const patterns = controlPatterns(source, control.name);
      named.push({ ...place, path: [...path, 'completion', 'control', 'name'], patterns });
    }
    return named;
  }

  /** Blobs of `state`, with which files must not meet. */
  #filesOfState({ path, value, sound }: Entry<StateConfig>): WrittenFiles[] {
    const destination = this.#sections.destinations.get(value.destination ?? '');
    const place = destination && isWhole(destination) ? placeOf(destination.value) : undefined;
    const folder = value.folder ?? STATE_FOLDER;
    if (destination === undefined || place === undefined || !sound.has('folder')) return [];
    if (nameFault(() => normalizeFolder(folder)) !== undefined) return [];
    const base = normalizeFolder(this.#soundFolder(destination));
    const patterns = planPatterns(`${base}${normalizeFolder(folder)}`);
    const folderPath = [...destination.path, 'folder'];
    const key = value.folder === undefined ? 'destination' : 'folder';
    return [{ container: place, folderPath, path: [...path, key], patterns }];
  }

  #soundFolder(destination: Entry<DestinationConfig> | undefined): string {
    const folder = destination?.value.folder ?? '';
    return nameFault(() => normalizeFolder(folder)) === undefined ? folder : '';
  }

  #reportMeeting(first: WrittenFiles, second: WrittenFiles, example: string): void {
    const paths = [first.path, first.folderPath, second.path, second.folderPath];
    const shown = paths.some(path => this.#writer.isHidden(path)) ? '(hidden)' : JSON.stringify(example);
    const place = showPlace(this.#writer.at(first.path, ''));
    this.#report(
      second.path,
      `could give the same blob as ${first.path.join('.')} (${place}), such as ${shown}; expected names that cannot meet`,
    );
  }
}

/** What an activation may write, to be compared with the others. */
interface WrittenFiles extends NamedFiles {
  readonly path: readonly string[];
  /** Keys that the rest of the names come from. */
  readonly folderPath: readonly string[];
}

function isPresent<T>(entry: Entry<T>, key: keyof T & string): boolean {
  // A required key that is missing was reported by the schema; an optional one may be
  // absent for the rules.
  return entry.given.has(key) || entry.value[key] !== undefined || OPTIONAL_KEYS.has(key);
}

const OPTIONAL_KEYS: ReadonlySet<string> = new Set([
  'model',
  'segment',
  'mapping',
  'partitionBy',
  'blob',
  'accountUrl',
  'accountName',
  'sql',
  'table',
  'columns',
  'where',
  'destination',
  'folder',
  'shared',
]);

function isWhole<T>(entry: Entry<T>): entry is Entry<T> & { value: T } {
  return (
    [...entry.given].every(key => entry.sound.has(key)) &&
    ['type', 'container', 'auth'].every(key => entry.given.has(key))
  );
}

/**
 * Every problem that the schema alone does not see. `whole` is what the schema made of
 * the tree, where it could.
 */
export function checkConfig(
  root: LocatedMap,
  writer: ProblemWriter,
  whole: ParsedConfig | undefined,
): ConfigProblem[] {
  const checker = new Checker(root, writer, whole);
  checker.check();
  return checker.problems;
}

/** The shortest way from `from` to `name` by what each comes after, both included. */
function wayBack(
  name: string,
  from: string,
  othersOf: (name: string) => readonly (string | undefined)[],
): readonly string[] | undefined {
  const ways: string[][] = [[from]];
  const seen = new Set([from]);
  for (const way of ways) {
    const last = way.at(-1)!;
    if (last === name) return way;
    for (const other of othersOf(last)) {
      if (other === undefined || seen.has(other)) continue;
      seen.add(other);
      ways.push([...way, other]);
    }
  }
  return undefined;
}
