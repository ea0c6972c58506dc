import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { ConsoleFiles } from '../../src/daemon/api/console-files.ts';
import { Served, type ServedOptions } from '../daemon/api/support/served.ts';
import { NO_BROWSER, PHONE, TestBrowser } from './support/browser.ts';
import { Scenes } from './support/scenes.ts';

const skip = NO_BROWSER;
const READ = 'a-token-that-may-read';
const WRITE = 'a-token-that-may-write';
const AXE = fileURLToPath(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url));
/** Where pictures of every page are put, for who wants to look at them. */
const PICTURES = process.env['SLUICE_TEST_PICTURES'];

let browser: TestBrowser;
const opened: Served[] = [];
/** What a page complained of, and where it asked. */
const complaints: string[] = [];

before(async () => {
  if (!skip) browser = await TestBrowser.start();
});
after(async () => {
  await browser?.stop();
  for (const served of opened) await served.dispose();
});

async function serve(
  names: readonly string[],
  options: Pick<ServedOptions, 'read' | 'write' | 'tokens'> = {},
) {
  const files = ConsoleFiles.read();
  assert.ok(files, 'the console is not built: npm run build');
  const served = await Served.start({ activations: names, title: 'production', console: files, ...options });
  opened.push(served);
  return { served, operations: served.operations, scenes: new Scenes(served.operations) };
}

/** A page that may ask its own server only, and has nothing to complain of. */
async function open(url: string): Promise<Page> {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(30_000);
  const { origin } = new URL(url);
  page.on('request', asked => {
    const { protocol, origin: other } = new URL(asked.url());
    if (protocol.startsWith('http') && other !== origin) complaints.push(`asks ${other}`);
  });
  page.on('pageerror', error => complaints.push(error.message));
  page.on('console', message => {
    // What the server refuses, the browser notes by itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  await page.goto(url);
  return page;
}

function assertQuiet(): void {
  assert.deepEqual(complaints.splice(0), []);
}

test('what needs somebody comes first, and what changes is shown as it happens', { skip }, async () => {
  const { served, operations, scenes } = await serve(['customers', 'orders', 'suppliers']);
  await scenes.succeeded('customers');
  const page = await open(served.url);
  await page.getByText('Nothing needs you.').waitFor();
  assert.equal(await page.title(), 'Sluice · production');
  await scenes.failed('orders');
  const need = page.locator('.need');
  await need.getByText('refuses the connection').waitFor();
  await need.getByText('look whether the server runs').waitFor();
  assert.equal(await page.title(), '(1) Sluice · production');
  assert.match((await page.locator('tbody tr').first().textContent())!, /failing.*orders/);

  const run = await scenes.running('suppliers');
  await page.getByText('250,000 rows read').waitFor();
  operations.become(run, 'succeeded');
  await page.getByText('Runs now').waitFor({ state: 'detached' });
  await need.getByRole('button', { name: 'Run again' }).click();
  await page.locator('tr', { hasText: 'orders' }).getByText('failing').waitFor();
  assert.equal((await operations.runs({ activation: 'orders', limit: 9 })).records.length, 2);
  assertQuiet();
  await page.close();
});

test('a run is asked for, followed and stopped', { skip }, async () => {
  const { served, operations } = await serve(['customers']);
  const page = await open(`${served.url}/#/activations/customers`);
  await page.getByText('It never ran.').first().waitFor();
  await page.getByRole('button', { name: 'Run now' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('In full').click();
  await dialog.getByRole('button', { name: 'Run now' }).click();
  await page.getByText('It begins as soon as').waitFor();
  const [record] = (await operations.runs({ limit: 1 })).records;
  assert.deepEqual(record!.asked, { full: true });
  operations.become(record!.run, 'reading');
  operations.progress(record!.run, 123_456);
  await page.getByText('123,456').waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await dialog.getByRole('button', { name: 'Stop the run' }).click();
  await page.getByText('It was stopped after').waitFor();
  assertQuiet();
  await page.close();
});

test('a held run is understood and allowed on a phone, by typing how many rows go', { skip }, async () => {
  const { served, operations, scenes } = await serve(['customers']);
  const held = await scenes.held('customers');
  const page = await open(served.url);
  await page.setViewportSize(PHONE);
  await page.getByRole('link', { name: 'Look and decide' }).click();
  await page.getByRole('heading', { name: /would remove 4120 of 9800 rows/ }).waitFor();
  assert.ok(page.url().endsWith(`#/runs/${held}`));
  await page.getByText('id 4711').waitFor();
  await page.getByRole('button', { name: 'Allow removals' }).click();
  const dialog = page.getByRole('dialog');
  const allow = dialog.getByRole('button', { name: 'Allow and run' });
  assert.equal(await dialog.locator(':focus').textContent(), 'Keep held');
  await dialog.getByRole('textbox').fill('412');
  assert.equal(await allow.isDisabled(), true);
  await dialog.getByRole('textbox').fill('4,120');
  await allow.click();
  await dialog.waitFor({ state: 'detached' });
  const [record] = (await operations.runs({ limit: 1 })).records;
  assert.deepEqual(record!.asked, { allowRemovals: true });
  assert.match(record!.idempotencyKey!, /^console-/);
  await page.waitForURL(`**/#/runs/${record!.run}`);
  assertQuiet();
  await page.close();
});

test('why a run failed and what to do comes before its figures', { skip }, async () => {
  const { served, scenes } = await serve(['orders']);
  const page = await open(`${served.url}/#/runs/${await scenes.failed('orders')}`);
  const why = page.getByRole('region', { name: 'Why it failed' });
  await why.getByText('refuses the connection (ECONNREFUSED)').waitFor();
  await why.getByText('SOURCE_CONNECT_FAILED').waitFor();
  await why.getByText('look whether the server runs').waitFor();
  const above = (await why.boundingBox())!.y < (await page.locator('dl.numbers').boundingBox())!.y;
  assert.ok(above);
  await page.goto(`${served.url}/#/runs/20250414-070000-123-k3f9ab`);
  await page.getByText('There is no such run').waitFor();
  assertQuiet();
  await page.close();
});

test('a daemon that goes away is said, what was known stays, and it is found again', { skip }, async () => {
  const { served, scenes } = await serve(['customers']);
  await scenes.succeeded('customers');
  const proxy = await prefixProxy(served.url);
  const page = await open(`${proxy.url}/sluice/`);
  await page.getByText('live', { exact: true }).waitFor();
  proxy.cut();
  await page.getByText('no answer since').waitFor();
  await page.getByText('the daemon does not answer').waitFor();
  assert.equal(await page.locator('tbody tr').count(), 1);
  proxy.mend();
  await page.getByRole('button', { name: 'Try again now' }).click();
  await page.getByText('live', { exact: true }).waitFor();
  assertQuiet();
  await page.close();
  await proxy.close();
});

test('below a prefix that a proxy takes away everything is found, with its last slash and without', {
  skip,
}, async () => {
  const { served, scenes } = await serve(['customers']);
  const run = await scenes.succeeded('customers');
  const proxy = await prefixProxy(served.url);
  const page = await open(`${proxy.url}/sluice`);
  await page.getByRole('link', { name: 'customers' }).click();
  await page.getByText('What it exports').waitFor();
  await page.getByText('select 1 as id').waitFor();
  await page.goto(`${proxy.url}/sluice/#/runs/${run}`);
  await page.getByText('crm/2025/04/14/customers_removed.csv', { exact: true }).waitFor();
  assertQuiet();
  await page.close();
  await proxy.close();
});

test('a token is asked for, one that may look cannot change, and it stays out of addresses', {
  skip,
}, async () => {
  const { served, scenes } = await serve(['customers'], { read: [READ], write: [WRITE] });
  const held = await scenes.held('customers');
  const page = await open(served.url);
  const field = page.getByLabel('Token', { exact: true });
  await field.fill('a-token-nobody-knows');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await field.fill(READ);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('One activation needs you.').waitFor();
  assert.equal(await page.getByRole('button', { name: /^Run customers/ }).count(), 0);
  await page.goto(`${served.url}/#/runs/${held}`);
  await page.getByText('Your token may look only').waitFor();
  assert.equal(await page.evaluate("localStorage.getItem('sluice.token')"), null);
  assert.ok(!page.url().includes(READ));
  await page.goto(`${served.url}/#/daemon`);
  await page.getByText('You use the token read 1').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await field.waitFor();
  assertQuiet();
  await page.close();
});

test('a token of one activation sees nothing of the others, as it is and as it changes', {
  skip,
}, async () => {
  const scoped = { name: 'airflow', token: READ, may: 'read', activations: ['ord*'] } as const;
  const { served, operations, scenes } = await serve(['salaries', 'orders'], { tokens: [scoped] });
  const foreign = await scenes.failed('salaries');
  const own = await scenes.succeeded('orders');
  const page = await open(served.url);
  const seen: string[] = [];
  page.on('response', async answer => {
    if (
      answer.url().includes('/v1/') &&
      !answer.url().includes('salaries') &&
      !answer.url().includes(foreign)
    )
      seen.push(await answer.text().catch(() => ''));
  });
  await page.getByLabel('Token', { exact: true }).fill(READ);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Nothing needs you.').waitFor();
  await page.getByRole('link', { name: 'orders' }).waitFor();
  assert.equal(await page.getByText('salaries').count(), 0);

  // A run of the other comes before one of its own, which is shown.
  await scenes.running('salaries');
  operations.become(await scenes.running('orders'), 'succeeded');
  await page.goto(`${served.url}/#/runs`);
  await page.locator('tbody tr').nth(1).waitFor();
  assert.equal(await page.locator('tbody tr').count(), 2);
  assert.equal(await page.getByText('salaries').count(), 0);

  await page.goto(`${served.url}/#/activations/orders`);
  await page.getByRole('heading', { name: 'orders' }).waitFor();
  for (const name of ['Run now', 'Pause', 'Preview'])
    assert.equal(await page.getByRole('button', { name }).count(), 0, name);
  await page.goto(`${served.url}/#/runs/${own}`);
  await page.getByText('1,540').first().waitFor();
  await page.goto(`${served.url}/#/activations/salaries`);
  await page.getByText('or your token does not show it').waitFor();
  await page.goto(`${served.url}/#/runs/${foreign}`);
  await page.getByText('There is no such run').waitFor();
  await page.goto(`${served.url}/#/daemon`);
  await page.getByText('You use the token airflow').waitFor();
  await page.getByText('ord*').waitFor();
  assert.equal(await page.getByRole('button', { name: /Reload/ }).count(), 0);
  assert.ok(seen.length > 3);
  assert.ok(!seen.some(text => text.includes('salaries') || text.includes(foreign)));
  assertQuiet();
  await page.close();
});

test('an empty installation says how to begin', { skip }, async () => {
  const { served } = await serve([]);
  const page = await open(served.url);
  await page.getByText('No activation yet').waitFor();
  await page.getByText('sluice init').waitFor();
  await page.goto(`${served.url}/#/runs`);
  await page.getByText('No run yet').waitFor();
  await page.goto(`${served.url}/#/warnings`);
  await page.getByText('Nothing to look at').waitFor();
  assertQuiet();
  await page.close();
});

test('keys go through rows and pages, and give the focus back', { skip }, async () => {
  const { served, operations } = await serve(['customers', 'orders']);
  const page = await open(served.url);
  await page.getByRole('link', { name: 'customers' }).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  const focused = () => page.locator(':focus').textContent();
  assert.equal(await focused(), 'orders');
  await page.keyboard.press('r');
  const dialog = page.getByRole('dialog', { name: 'Run orders' });
  await dialog.waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await focused(), 'orders');
  await page.keyboard.press('p');
  await page.getByRole('dialog').getByRole('textbox').fill('moving house');
  await page.keyboard.press('Enter');
  await page.locator('tr', { hasText: 'orders' }).getByText('paused').waitFor();
  assert.equal((await operations.activation('orders')).paused?.reason, 'moving house');
  await page.keyboard.press('/');
  await page.keyboard.type('ord');
  await page.getByRole('link', { name: 'customers', exact: true }).waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.getByRole('main').focus();
  await page.keyboard.press('g');
  await page.keyboard.press('r');
  await page.getByRole('heading', { name: 'Runs' }).waitFor();
  assertQuiet();
  await page.close();
});

test('history is filtered by its address and shows what came of each run', { skip }, async () => {
  const { served, scenes } = await serve(['customers', 'orders']);
  await scenes.succeeded('customers');
  await scenes.failed('orders');
  const page = await open(`${served.url}/#/runs`);
  await page.getByText('1,200 added, 340 updated').waitFor();
  await page.getByLabel('State').selectOption('failed');
  await page.waitForURL('**/#/runs?state=failed');
  await page.locator('tbody tr', { hasText: 'refuses the connection' }).waitFor();
  assert.equal(await page.getByText('1,200 added').count(), 0);
  await page.getByLabel('Activation').selectOption('customers');
  await page.getByText('No run fits').waitFor();
  assertQuiet();
  await page.close();
});

test('every page is accessible and fits a phone, in light and in dark', { skip }, async () => {
  const { served, operations, scenes } = await serve([
    'customers',
    'orders',
    'french',
    'feed',
    'daily',
    'new',
  ]);
  for (const name of ['customers', 'orders', 'french', 'feed', 'daily']) scenes.past(name);
  const run = await scenes.succeeded('customers');
  const failed = await scenes.failed('orders');
  const held = await scenes.held('french');
  const running = await scenes.running('daily');
  const since = new Date().toISOString();
  operations.amend('feed', {
    warnings: [{ code: 'SAS_EXPIRES', message: 'the SAS token expires in 6 days', since }],
  });
  const page = await open(served.url);
  const pages: readonly (readonly [name: string, hash: string, shown: string])[] = [
    ['activations', '', 'All activations'],
    ['activation', 'activations/customers', 'What it exports'],
    ['run', `runs/${run}`, 'About this run'],
    ['run-failed', `runs/${failed}`, 'Why it failed'],
    ['run-held', `runs/${held}`, 'Allow removals'],
    ['run-live', `runs/${running}`, 'Rows a second'],
    ['runs', 'runs', 'What came of it'],
    ['warnings', 'warnings', 'What was seen'],
    ['daemon', 'daemon', 'Problems'],
  ];
  if (PICTURES !== undefined) await mkdir(PICTURES, { recursive: true });
  for (const [name, hash, shown] of pages) {
    await page.goto(`${served.url}/#/${hash}`);
    await page.getByText(shown).first().waitFor({ state: 'attached' });
    for (const size of ['desk', 'phone'] as const) {
      await page.setViewportSize(size === 'desk' ? { width: 1280, height: 800 } : PHONE);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const where = `${name} ${size} ${colorScheme}`;
        const overflow = (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) as number;
        assert.ok(overflow <= 0, `${where} is ${overflow} px too wide`);
        // Colours are those of the scheme and the order that of the size: two of the four
        // see both.
        if ((size === 'phone') === (colorScheme === 'dark')) assert.deepEqual(await axe(page), [], where);
        if (PICTURES !== undefined)
          await page.screenshot({ path: `${PICTURES}/${where.replaceAll(' ', '-')}.png`, fullPage: true });
      }
    }
  }
  assertQuiet();
  await page.close();
});

/** Serious findings. It runs in a world of its own, out of reach of the page's policy. */
async function axe(page: Page): Promise<string[]> {
  const source = await readAxe();
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId } = await session.send('Page.createIsolatedWorld', {
    frameId: frameTree.frame.id,
  });
  const evaluate = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      expression,
      contextId: executionContextId,
      awaitPromise: true,
      returnByValue: true,
    });
    assert.equal(exceptionDetails, undefined, exceptionDetails?.exception?.description);
    return result.value;
  };
  await evaluate(`${source}; undefined`);
  const found = (await evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ': ' + nodes.map(node => node.target.join(' ') + ' ' + node.failureSummary).slice(0, 3).join('; ')))`,
  )) as string[];
  await session.detach();
  return found;
}

let axeSource: Promise<string> | undefined;
function readAxe(): Promise<string> {
  axeSource ??= import('node:fs/promises').then(({ readFile }) => readFile(AXE, 'utf8'));
  return axeSource;
}

interface PrefixProxy {
  readonly url: string;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Takes `/sluice` away, as a reverse proxy does, and can be cut off. */
async function prefixProxy(target: string): Promise<PrefixProxy> {
  let isCut = false;
  const server: Server = createServer((request, response) => {
    const { url = '/', method, headers } = request;
    if (isCut) return void request.socket.destroy();
    if (url === '/sluice') return void response.writeHead(308, { Location: '/sluice/' }).end();
    if (!url.startsWith('/sluice/')) return void response.writeHead(404).end();
    const onward = httpRequest(target + url.slice('/sluice'.length), {
      method,
      headers,
    });
    onward.on('response', answer => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      isCut = true;
      server.closeAllConnections();
    },
    mend: () => {
      isCut = false;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}
