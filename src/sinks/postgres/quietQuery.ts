import pg from 'pg'

/**
 * Runs what `send` asks for, of whose answer nothing is read but how it went; resolves once the server has ended it.
 * @param text told to the driver, which sends nothing of it
 */
export function runQuietly(
  client: pg.ClientBase,
  text: string,
  send: (connection: pg.Connection) => void,
): Promise<void> {
  const query = new QuietQuery(text, send)
  client.query(query)
  return query.ended
}

/** Asked as the driver asks a query, also on a pipelined connection. */
class QuietQuery extends pg.Query {
  readonly ended: Promise<void>
  override readonly submit: (connection: pg.Connection) => void

  constructor(text: string, send: (connection: pg.Connection) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    super(text, (error) => (error instanceof Error ? reject(error) : resolve()))
    this.ended = promise
    // What it gives would be an error to the driver.
    this.submit = (connection) => void send(connection)
  }

  // The driver would make rows of these.
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}

  /** The server asks for what it has been sent. */
  handleCopyInResponse(): void {}
}
