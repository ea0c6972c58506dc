import { type ResolvedActivation, resolveActivation } from '../config/activation.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Note } from '../config/schema/note-kinds.ts';
import { Redactor, Secret } from '../config/secrets.ts';
import { SluiceError } from '../errors.ts';
import { configurationNotes } from '../run/validation/notes/configuration-notes.ts';
import type { ReloadOutcome } from './operations.ts';

type DaemonConfig = LoadedConfig['config']['daemon'];

/** What the HTTP server is made with. */
const NEEDS_RESTART: ReadonlySet<keyof DaemonConfig> = new Set(['host', 'port', 'bodyLimit', 'console']);

/** The configuration that the daemon goes by now. */
export class Configuration {
  readonly #load: () => LoadedConfig;
  #loaded: LoadedConfig;
  #activations: ReadonlyMap<string, ResolvedActivation>;
  /**
   * Knows the secrets of this configuration and of those before it, which runs may still
   * use.
   */
  readonly redactor = new Redactor();

  /** Throws CONFIG_INVALID and the like. */
  constructor(load: () => LoadedConfig) {
    this.#load = load;
    this.#loaded = load();
    this.#activations = resolveAll(this.#loaded);
    this.redactor.addAll(this.#loaded.redactor);
  }

  get dataDirectory(): string {
    return this.#loaded.config.dataDirectory;
  }

  get daemon(): LoadedConfig['config']['daemon'] {
    return this.#loaded.config.daemon;
  }

  /** What works and should be known, without what the configuration ignores. */
  get notes(): readonly Note[] {
    return configurationNotes(this.#loaded);
  }

  /** In order of their names. */
  get activations(): readonly ResolvedActivation[] {
    return [...this.#activations.values()];
  }

  find(name: string): ResolvedActivation | undefined {
    return this.#activations.get(name);
  }

  /** Throws NAME_UNKNOWN with the names that there are. */
  resolve(name: string): ResolvedActivation {
    return this.#activations.get(name) ?? resolveActivation(this.#loaded.config, name);
  }

  /**
   * What a process needs to know for the activation. Throws NAME_UNKNOWN with the names
   * that there are.
   */
  snapshotOf(name: string): Secret {
    return this.#loaded.snapshotOf(this.resolve(name).name);
  }

  /** Throws, and changes nothing, where the new configuration is bad. */
  reload(): ReloadOutcome {
    const loaded = this.#load();
    const activations = resolveAll(loaded);
    if (loaded.config.dataDirectory !== this.dataDirectory) {
      const message = `dataDirectory has changed from ${this.dataDirectory} to ${loaded.config.dataDirectory}`;
      throw new SluiceError('CONFIG_INVALID', message, {
        stage: 'configuration',
        hint: 'stop the daemon and start it again to move to another data directory',
      });
    }
    const before = this.#activations;
    const settings = changedSettings(this.daemon, loaded.config.daemon);
    this.redactor.addAll(loaded.redactor);
    this.#loaded = loaded;
    this.#activations = activations;
    const names = [...activations.keys()];
    return {
      added: names.filter(name => !before.has(name)),
      removed: [...before.keys()].filter(name => !activations.has(name)),
      changed: names.filter(
        name => before.has(name) && textOf(before.get(name)) !== textOf(activations.get(name)),
      ),
      settings: settings.map(name => `daemon.${name}`),
      needsRestart: settings.filter(name => NEEDS_RESTART.has(name)).map(name => `daemon.${name}`),
    };
  }
}

function resolveAll({ config }: LoadedConfig): Map<string, ResolvedActivation> {
  const names = Object.keys(config.activations).sort();
  return new Map(names.map(name => [name, resolveActivation(config, name)]));
}

function changedSettings(before: DaemonConfig, after: DaemonConfig): (keyof DaemonConfig)[] {
  const names = new Set(Object.keys({ ...before, ...after }) as (keyof DaemonConfig)[]);
  return [...names].filter(name => textOf(before[name]) !== textOf(after[name])).sort();
}

/** For comparing only: a secret that was renewed is a change. */
function textOf(value: unknown): string | undefined {
  return JSON.stringify([value], function (this: Record<string, unknown>, key, value) {
    const given = this[key];
    return given instanceof Secret ? given.reveal() : value;
  });
}
