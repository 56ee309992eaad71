import pg from 'pg'

/**
 * Runs a COPY … TO STDOUT and hands over its messages, one a row, as raw bytes that are valid during the call.
 *
 * The driver decodes every value of an ordinary result as text, so bytea would come as hex: twice the bytes and, on both sides, several
 * times the work. What COPY sends passes through it untouched. Not for pipelined connections.
 */
export async function copyOut(client: pg.PoolClient, text: string, onMessage: (bytes: Buffer) => void): Promise<void> {
  const done = Promise.withResolvers<void>()
  client.query(
    new CopyOutQuery(text, onMessage, (error) => {
      if (error === null || error === undefined) done.resolve()
      else done.reject(error)
    }),
  )
  await done.promise
}

class CopyOutQuery extends pg.Query {
  readonly #onMessage: (bytes: Buffer) => void

  constructor(text: string, onMessage: (bytes: Buffer) => void, onEnd: (error: Error | null | undefined) => void) {
    super(text, onEnd)
    this.#onMessage = onMessage
  }

  /** Called by the client for each message of the COPY. */
  handleCopyData(message: { readonly chunk: Buffer }): void {
    this.#onMessage(message.chunk)
  }
}
