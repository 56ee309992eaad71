import pg from 'pg'

/**
 * Runs a COPY … TO STDOUT and hands over its messages, one a row, as raw bytes that are valid during the call. What the call throws fails it, once the server has sent the rest.
 *
 * The driver decodes every value of an ordinary result as text, so bytea would come as hex: twice the bytes and, on both sides, several
 * times the work. What COPY sends passes through it untouched. Not for pipelined connections.
 */
export async function copyOut(client: pg.ClientBase, text: string, onMessage: (bytes: Buffer) => void): Promise<void> {
  const query = new CopyOutQuery(text, onMessage)
  client.query(query)
  await query.ended
}

/** The statement as the driver runs it. */
export class CopyOutQuery extends pg.Query {
  readonly ended: Promise<void>
  readonly #onMessage: (bytes: Buffer) => void
  /** What a message was refused with: the driver, which calls from its socket, could do nothing with it. */
  #refused: { readonly error: unknown } | null = null

  constructor(text: string, onMessage: (bytes: Buffer) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    super(text, (error) => {
      if (error instanceof Error) reject(error)
      else if (this.#refused !== null) reject(this.#refused.error)
      else resolve()
    })
    this.ended = promise
    this.#onMessage = onMessage
  }

  /** Called by the client for each message of the COPY. */
  handleCopyData(message: { readonly chunk: Buffer }): void {
    if (this.#refused !== null) return
    try {
      this.#onMessage(message.chunk)
    } catch (error) {
      this.#refused = { error }
    }
  }
}
