import pg from 'pg'

/** What the driver has for a query that the server is waiting for rows of. */
interface CopyTarget {
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

/** Runs a COPY … FROM STDIN with bytes that are there already, as the format has them. They are valid until it has ended. Not for pipelined connections. */
export async function copyIn(client: pg.ClientBase, text: string, bytes: Buffer): Promise<void> {
  const query = new CopyInQuery(text, bytes)
  client.query(query)
  await query.ended
}

/** The statement as the driver runs it. */
class CopyInQuery extends pg.Query {
  readonly ended: Promise<void>
  readonly #bytes: Buffer

  constructor(text: string, bytes: Buffer) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    super(text, (error) => {
      if (error instanceof Error) reject(error)
      else resolve()
    })
    this.ended = promise
    this.#bytes = bytes
  }

  /** Called by the client once the server is ready for rows. */
  handleCopyInResponse(connection: CopyTarget): void {
    connection.sendCopyFromChunk(this.#bytes)
    connection.endCopyFrom()
  }
}
