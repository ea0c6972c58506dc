import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const PROGRAM = process.env['SLUICE_TEST_CHROMIUM'] ?? PLACES.find(place => existsSync(place));

/** Why tests in a browser are left out, where they are. */
export const NO_BROWSER = PROGRAM === undefined && 'there is no Chromium: apt-get install chromium';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const PHONE = { width: 390, height: 844 };
export const DESK = { width: 1280, height: 800 };

/** A browser with a profile of its own, which knows nothing of earlier tests. */
export class TestBrowser {
  readonly #profile: string;
  readonly #context: BrowserContext;

  private constructor(profile: string, context: BrowserContext) {
    this.#profile = profile;
    this.#context = context;
  }

  static async start(options: BrowserContextOptions = {}): Promise<TestBrowser> {
    const profile = await mkdtemp(join(tmpdir(), 'sluice-browser-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: PROGRAM!,
      headless: true,
      args: FLAGS,
      viewport: DESK,
      timezoneId: 'Europe/Paris',
      ...options,
    });
    return new TestBrowser(profile, context);
  }

  get context(): BrowserContext {
    return this.#context;
  }

  async stop(): Promise<void> {
    await this.#context.close();
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
