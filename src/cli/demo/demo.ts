import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { resolveActivation } from '../../config/activation.ts';
import { type LoadedConfig, loadConfig } from '../../config/load.ts';
import { startAzurite } from '../../embedded/azurite.ts';
import { startEmbeddedPostgres } from '../../embedded/postgres.ts';
import { EXIT } from '../../errors.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { exportRun } from '../../run/export-run.ts';
import type { CommandContext } from '../command-context.ts';
import { watchSignals } from '../interruption.ts';
import { formatBytes, formatCount, formatDuration } from '../terminal/quantities.ts';
import { elapsedMs } from '../terminal/run-summary.ts';
import { cutToWidth, tableLines } from '../terminal/table.ts';
import { escaped, type Terminal } from '../terminal/terminal.ts';
import { demoConfig, OTHER_FORMATS } from './demo-config.ts';
import { DemoContainer } from './demo-container.ts';
import { CHANGE_IN_WORDS, CHANGE_SAMPLE, CREATE_SAMPLE, SAMPLE_ROWS } from './sample-data.ts';

export interface DemoOptions {
  readonly keep?: boolean;
}

const SHOWN_LINES = 6;
const SHOWN_COLUMNS = 100;

/** `sluice demo`: the product on sample data, with nothing installed or configured. */
export async function demo({ keep }: DemoOptions, { terminal }: CommandContext): Promise<number> {
  const { signal, release } = watchSignals(terminal);
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-demo-'));
  // Also where a second Ctrl-C ends the process at once.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const stops: (() => Promise<void>)[] = [];
  try {
    const began = performance.now();
    terminal.print('Starting PostgreSQL and a blob emulator…');
    const postgres = await startEmbeddedPostgres();
    stops.push(() => postgres.stop());
    const emulator = await startAzurite();
    stops.push(() => emulator.stop());
    await postgres.exec(CREATE_SAMPLE);
    const container = await DemoContainer.create(emulator);

    const configPath = path.join(folder, 'sluice.yaml');
    writeFileSync(configPath, demoConfig({ postgresUrl: postgres.url, emulator }));
    const loaded = loadConfig({ path: configPath });
    const show = new Demonstration(loaded, container, terminal, signal);
    terminal.print(`PostgreSQL  ${postgres.url}  (PGlite, in this process)
Blobs       ${emulator.accountUrl}  (Azurite, in this process)
Ready in ${formatDuration(performance.now() - began)}, with ${formatCount(SAMPLE_ROWS)} customers.`);

    show.title('Every row', 'NULL is empty and the empty text is ""; digits and microseconds are all kept');
    await show.run('as_csv');
    for (const { name } of OTHER_FORMATS) await show.run(name);
    show.title('Compressed');
    await show.run('compressed');
    show.title('In parts', 'maxFileSize: 128KiB is a hard limit, and each part is a complete file');
    await show.run('in_parts', { lines: 2 });
    show.title(
      'The first run of each sync mode',
      'all rows, and the state that the next run is compared with',
    );
    for (const mode of ['upsert', 'insert', 'difference']) await show.run(mode, { lines: 0 });
    show.title('Now the table changes', CHANGE_IN_WORDS.join('; '));
    await postgres.exec(CHANGE_SAMPLE);
    show.title('upsert: what is new or different');
    await show.run('upsert');
    show.title('insert: what is new');
    await show.run('insert');
    show.title('difference: what is new, different and gone, each in its file');
    await show.run('difference');
    show.title('All that is in the container', '_sluice holds a manifest for each run, written last');
    await show.everything();

    if (keep) await untilInterrupted(configPath, terminal, signal);
    else terminal.print('\nThat was all in memory and is gone; `--keep` leaves it running.');
    return EXIT.done;
  } catch (error) {
    if (signal.aborted) return EXIT.cancelled;
    throw error;
  } finally {
    for (const stop of stops.reverse()) await stop().catch(() => {});
    rmSync(folder, { recursive: true, force: true });
    release();
  }
}

async function untilInterrupted(configPath: string, terminal: Terminal, signal: AbortSignal): Promise<void> {
  terminal.print(`
Both are still running. In another terminal, for example:

  ${process.execPath} ${process.argv[1]} --config ${configPath} run upsert

Ctrl-C stops them and removes ${path.dirname(configPath)}.`);
  if (signal.aborted) return;
  await new Promise(resolve => {
    signal.addEventListener('abort', resolve);
  });
}

/** Runs activations of the demo and shows what is in the container afterwards. */
class Demonstration {
  readonly #loaded: LoadedConfig;
  readonly #container: DemoContainer;
  readonly #terminal: Terminal;
  readonly #signal: AbortSignal;
  #step = 0;

  constructor(loaded: LoadedConfig, container: DemoContainer, terminal: Terminal, signal: AbortSignal) {
    this.#loaded = loaded;
    this.#container = container;
    this.#terminal = terminal;
    this.#signal = signal;
  }

  title(text: string, explanation?: string): void {
    const terminal = this.#terminal;
    this.#step++;
    terminal.print(`\n${terminal.paint('bold', `${this.#step}. ${text}`)}`);
    if (explanation !== undefined) terminal.print(terminal.paint('dim', `   ${explanation}`));
  }

  /** `lines` of each file are shown. */
  async run(name: string, { lines = SHOWN_LINES }: { readonly lines?: number } = {}): Promise<void> {
    const terminal = this.#terminal;
    const activation = resolveActivation(this.#loaded.config, name);
    const { record, error } = await exportRun({ activation, trigger: 'demo', signal: this.#signal });
    if (record.state !== 'succeeded') throw error;
    const { counts } = record;
    const found = (['added', 'updated', 'removed', 'unchanged'] as const)
      .filter(change => counts[change] > 0)
      .map(change => `${formatCount(counts[change])} ${change}`);
    const took = formatDuration(elapsedMs(record));
    const told = `${formatCount(counts.read)} rows read (${found.join(', ')}), ${formatCount(counts.written)} written`;
    terminal.print(`   ${terminal.paint('cyan', `sluice run ${name}`)}  ${told}, ${took}`);
    await this.#showFiles(record, lines);
  }

  async everything(): Promise<void> {
    const blobs = await this.#container.list();
    const rows = blobs.map(({ name, bytes }) => [name, formatBytes(bytes)]);
    this.#table([{ title: 'file' }, { title: 'bytes', align: 'right' }], rows);
  }

  async #showFiles({ files }: RunRecord, lines: number): Promise<void> {
    const there = new Map((await this.#container.list()).map(({ name, bytes }) => [name, bytes]));
    const titles = [
      { title: 'file' },
      { title: 'rows', align: 'right' },
      { title: 'bytes', align: 'right' },
    ] as const;
    const rows = files.map(({ name, rows }) => [name, formatCount(rows), formatBytes(there.get(name) ?? 0)]);
    this.#table(titles, rows);
    if (lines === 0) return;
    for (const { name } of files) {
      const shown = await this.#container.firstLines(name, lines);
      if (files.length > 1) this.#terminal.print(this.#terminal.paint('dim', `   ${name}`));
      for (const line of shown) {
        this.#terminal.print(`   │ ${cutToWidth(escaped(line), SHOWN_COLUMNS)}`);
      }
    }
  }

  #table(...table: Parameters<typeof tableLines>): void {
    const [head = '', ...rows] = tableLines(...table);
    const lines = [this.#terminal.paint('dim', head), ...rows];
    this.#terminal.print(lines.map(line => `   ${line}`).join('\n'));
  }
}
