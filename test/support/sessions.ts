import pg from 'pg';

/** What the types of the driver leave out. */
type Referable = pg.Client & { ref(): void; unref(): void };

/**
 * Statements on sessions that are used again: to begin a session costs the server more
 * than most statements of tests. One waits for each URL; it is as good as new, and keeps
 * no process alive.
 */
export class Sessions {
  readonly #idle = new Map<string, pg.Client>();

  /** Runs one statement, or several without parameters; rows of the last one. */
  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    url: string,
    text: string,
    params: readonly unknown[] = [],
  ): Promise<Row[]> {
    const client = this.#take(url) ?? (await this.#begin(url));
    try {
      // An empty parameter list keeps to the simple protocol, which takes several
      // statements.
      const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] =
        params.length === 0 ? await client.query<Row>(text) : await client.query<Row>(text, [...params]);
      return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
    } finally {
      await this.#keep(url, client);
    }
  }

  /** Ends the session that waits for this URL, or all that wait. */
  async end(url?: string): Promise<void> {
    const ended = [...this.#idle].filter(([of]) => url === undefined || of === url);
    for (const [of] of ended) this.#idle.delete(of);
    await Promise.all(
      ended.map(([, client]) => {
        (client as Referable).ref();
        return client.end();
      }),
    );
  }

  async #begin(url: string): Promise<pg.Client> {
    const client = await connect(url);
    client.once('end', () => {
      if (this.#idle.get(url) === client) this.#idle.delete(url);
    });
    return client;
  }

  #take(url: string): pg.Client | undefined {
    const client = this.#idle.get(url);
    this.#idle.delete(url);
    if (client !== undefined) (client as Referable).ref();
    return client;
  }

  async #keep(url: string, client: pg.Client): Promise<void> {
    // Fails where the session is lost, or in a transaction.
    const isClean = await client.query('discard all').then(
      () => true,
      () => false,
    );
    if (!isClean || this.#idle.has(url)) return client.end();
    this.#idle.set(url, client);
    (client as Referable).unref();
  }
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {}); // who still uses the client gets the error from the query
  await client.connect();
  return client;
}
