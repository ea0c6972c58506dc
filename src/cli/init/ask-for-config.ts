import { ConfigInvalidError } from '../../config/checks/problems.ts';
import { type LoadedConfig, parseConfig } from '../../config/load.ts';
import { SluiceError } from '../../errors.ts';
import { Dialogue } from '../terminal/dialogue.ts';
import { formatCount } from '../terminal/quantities.ts';
import { fittedTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { type Catalogue, columnsOf, type Relation, readCatalogue, sourceAlone } from './catalogue.ts';
import { parsePlace } from './destination-answer.ts';
import { parseChoice } from './parse-choice.ts';
import { isReference, type WrittenText, writeSecret } from './secret-answer.ts';
import {
  type Answers,
  type DestinationAnswer,
  FORMATS,
  type FormatName,
  type ModelAnswer,
  writeConfig,
} from './written-config.ts';

export interface AskedConfig {
  readonly text: string;
  readonly activations: readonly string[];
  /** Variables that the file names, and that are not set to what was typed. */
  readonly variables: readonly string[];
  /** The folder that files go to, where they stay on this machine. */
  readonly folder?: string;
}

/**
 * Asks for a source, its tables, a destination and a format. `undefined` where the person
 * would rather have an example. Rejects with CANCELLED where no more is answered.
 */
export async function askForConfig(terminal: Terminal, file: string): Promise<AskedConfig | undefined> {
  const dialogue = new Dialogue();
  try {
    return await new Questions(dialogue, terminal, file).ask();
  } finally {
    dialogue.close();
  }
}

// None looks like a URL with a password, which the terminal would conceal.
const WHERE_FROM = `Where do rows come from? The URL of a PostgreSQL database, such as
postgresql://USER@HOST:5432/DATABASE, with a colon and the password behind
USER; or \${NAME} of an environment variable that holds it.
Enter alone writes a commented example instead, and asks nothing more.`;
const WHERE_TO = `Where do files go? The URL of a container, whose SAS token may follow
(https://ACCOUNT.blob.core.windows.net/CONTAINER); a connection string of a
storage account; or a folder of this machine.`;
const HOW_IN = `How does Sluice sign in there? A SAS token, an account key, \${NAME} of a variable
that holds a SAS token, or the word identity (managed identity, workload
identity, az login).`;

const SAS_VARIABLE = 'AZURE_SAS_TOKEN';

class Questions {
  readonly #dialogue: Dialogue;
  readonly #terminal: Terminal;
  readonly #file: string;
  /** What was typed for each, where it was. */
  readonly #variables = new Map<string, string | undefined>();

  constructor(dialogue: Dialogue, terminal: Terminal, file: string) {
    this.#dialogue = dialogue;
    this.#terminal = terminal;
    this.#file = file;
  }

  async ask(): Promise<AskedConfig | undefined> {
    const found = await this.#askForSource();
    if (found === undefined) return undefined;
    const { url, source, catalogue } = found;
    const models = await this.#askForModels(source, catalogue);
    const destination = await this.#askForDestination({ url, models });
    const format = await this.#askForFormat();
    const { text, activations } = this.#checked({ url, models, destination, format });
    const variables = [...this.#variables]
      .filter(([name]) => text.includes(`\${${name}}`))
      .filter(([name, typed = process.env[name]]) => typed === undefined || typed !== process.env[name])
      .map(([name]) => name);
    const folder = destination.type === 'folder' ? { folder: destination.path } : {};
    return { text, activations, variables, ...folder };
  }

  async #askForSource() {
    this.#terminal.note(WHERE_FROM);
    for (;;) {
      const typed = await this.#dialogue.ask('URL:');
      if (typed === '') return undefined;
      try {
        const source = sourceAlone(typed);
        this.#terminal.redactor.addAll(source.redactor);
        const catalogue = await readCatalogue(source, this.#dialogue.signal);
        if (catalogue.relations.length > 0) return { url: await this.#writtenUrl(typed), source, catalogue };
        this.#terminal.note('It answers, and its role may read no table and no view. Another URL?');
      } catch (error) {
        this.#refuse(error);
      }
    }
  }

  /** A URL with a password is a secret. */
  async #writtenUrl(typed: string): Promise<string> {
    const hasPassword = URL.canParse(typed) && new URL(typed).password !== '';
    if (isReference(typed) || !(hasPassword || /[?&]password=/.test(typed))) return typed;
    return this.#written(await writeSecret(this.#dialogue, typed, 'WAREHOUSE_URL'));
  }

  async #askForModels(source: LoadedConfig, { relations, complete }: Catalogue): Promise<ModelAnswer[]> {
    this.#terminal.note(relationTable(relations, this.#terminal));
    if (!complete)
      this.#terminal.note(`These are the first ${relations.length}; others can be added to the file.`);
    for (;;) {
      const typed = await this.#dialogue.ask('Which are to be exported? Numbers or names, or all:', '1');
      const chosen = parseChoice(typed, relations);
      if (typeof chosen === 'string') this.#terminal.note(chosen);
      else {
        const models: ModelAnswer[] = [];
        for (const relation of chosen) models.push(await this.#askForKey(source, relation));
        return models;
      }
    }
  }

  async #askForKey(source: LoadedConfig, relation: Relation): Promise<ModelAnswer> {
    if (relation.key.length > 0) return { relation };
    const columns = await columnsOf(source, relation, this.#dialogue.signal);
    const name = `${relation.schema}.${relation.name}`;
    this.#terminal.note(`${name} has no primary key. Its columns: ${columns.join(', ')}.`);
    for (;;) {
      const typed = await this.#dialogue.ask(
        'Columns that identify a row, needed for changes only (Enter for none):',
      );
      const primaryKey = typed
        .split(',')
        .map(part => part.trim())
        .filter(part => part !== '');
      const unknown = primaryKey.filter(column => !columns.includes(column));
      if (unknown.length === 0) return { relation, primaryKey };
      this.#terminal.note(`${name} has no column ${unknown.join(', ')}.`);
    }
  }

  async #askForDestination(answers: Pick<Answers, 'url' | 'models'>): Promise<DestinationAnswer> {
    this.#terminal.note(WHERE_TO);
    for (;;) {
      const typed = await this.#dialogue.ask('Container or folder:', './out');
      try {
        const destination = await this.#destination(typed);
        if (destination) {
          this.#checked({ ...answers, destination, format: 'csv' });
          return destination;
        }
        this.#terminal.note('That URL names no container: expected …/CONTAINER at its end.');
      } catch (error) {
        this.#refuse(error);
      }
    }
  }

  async #destination(typed: string): Promise<DestinationAnswer | undefined> {
    const place = parsePlace(typed);
    if (place === undefined || place.type === 'folder') return place;
    if (place.type === 'connection string') {
      const { text } = place;
      const container = await this.#dialogue.ask('Container:', 'exports');
      const connectionString = /Key=|Signature=/i.test(text)
        ? this.#written(await writeSecret(this.#dialogue, text, 'AZURE_STORAGE_CONNECTION_STRING'))
        : text;
      return { type: 'azure-blob', container, auth: { connectionString } };
    }
    const { accountUrl, container, folder, sasToken } = place;
    const auth = sasToken === undefined ? await this.#askForAuth() : await this.#sasToken(sasToken);
    return { type: 'azure-blob', accountUrl, container, ...(folder && { folder }), auth };
  }

  async #askForAuth(): Promise<Record<string, string>> {
    this.#terminal.note(HOW_IN);
    const typed = await this.#dialogue.ask('Token, key, variable or identity:', `\${${SAS_VARIABLE}}`);
    if (typed === 'identity') return { identity: 'default' };
    if (isReference(typed)) {
      this.#variables.set(typed.slice(2, -1), undefined);
      return { sasToken: typed };
    }
    if (/(?:^|[?&])sig=/.test(typed)) return this.#sasToken(typed);
    return { accountKey: this.#written(await writeSecret(this.#dialogue, typed, 'AZURE_STORAGE_KEY')) };
  }

  async #sasToken(token: string): Promise<Record<string, string>> {
    return { sasToken: this.#written(await writeSecret(this.#dialogue, token, SAS_VARIABLE)) };
  }

  async #askForFormat(): Promise<FormatName> {
    const names = Object.keys(FORMATS) as FormatName[];
    for (;;) {
      const typed = (await this.#dialogue.ask(`Format, one of ${names.join(', ')}:`, 'csv')).toLowerCase();
      const format = names.find(name => name === typed);
      if (format) return format;
    }
  }

  #written({ written, variable }: WrittenText): string {
    if (variable) this.#variables.set(variable.name, variable.value);
    return written;
  }

  /** The configuration that the answers make. Throws CONFIG_INVALID. */
  #checked(answers: Answers): ReturnType<typeof writeConfig> {
    const written = writeConfig(answers);
    const environment = { ...process.env, ...Object.fromEntries(this.#variables) };
    const { redactor } = parseConfig({
      text: written.text,
      file: this.#file,
      environment,
      mayBeUnset: () => true,
    });
    this.#terminal.redactor.addAll(redactor);
    return written;
  }

  /** Shows why an answer does not do; it is asked for again. */
  #refuse(error: unknown): void {
    this.#dialogue.signal.throwIfAborted();
    if (error instanceof ConfigInvalidError)
      for (const { message } of error.problems) this.#terminal.note(this.#terminal.clean(message));
    else if (error instanceof SluiceError && error.code !== 'CANCELLED')
      this.#terminal.note(
        this.#terminal.clean(error.hint ? `${error.message}; ${error.hint}` : error.message),
      );
    else throw error;
  }
}

function relationTable(relations: readonly Relation[], terminal: Terminal): string {
  const columns = [
    { title: '#', align: 'right' },
    { title: 'table or view', cut: true },
    { title: 'rows, about', align: 'right' },
    { title: 'key', leaveOut: 1 },
  ] as const;
  const rows = relations.map(({ schema, name, kind, rows: count, key }, index) => [
    `${index + 1}`,
    `${schema}.${name}${kind === 'table' ? '' : ` (${kind})`}`,
    count === undefined ? '?' : formatCount(count),
    key.join(', '),
  ]);
  return fittedTable(columns, rows, terminal);
}
