import type { Duplex } from 'node:stream'
import pg from 'pg'

const copyDataTag = 'd'.charCodeAt(0)
const lengthBytes = 4
const copyDone = Buffer.from([...Buffer.from('c'), 0, 0, 0, lengthBytes])

/**
 * Runs a COPY … FROM STDIN of bytes that are there already. They are sent behind the statement, without waiting until the server asks for them: one that has refused it reads past them.
 * So other statements may be on their way before and behind it.
 * @param chunks whole rows as the COPY takes them; nobody may write into them until the transaction has ended
 */
export async function copyIn(client: pg.ClientBase, text: string, chunks: readonly Uint8Array[]): Promise<void> {
  const query = new CopyInQuery(text, chunks)
  client.query(query)
  await query.ended
}

/** The statement as the driver runs it, also on a pipelined connection. */
class CopyInQuery extends pg.Query {
  readonly ended: Promise<void>
  readonly #text: string
  readonly #chunks: readonly Uint8Array[]

  constructor(text: string, chunks: readonly Uint8Array[]) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    super(text, (error) => (error instanceof Error ? reject(error) : resolve()))
    this.ended = promise
    this.#text = text
    this.#chunks = chunks
  }

  override readonly submit = (connection: pg.Connection): void => {
    connection.query(this.#text)
    const { stream } = connection
    for (const chunk of this.#chunks) sendChunk(stream, chunk)
    stream.write(copyDone)
  }

  /** The server asks for what it has been sent. */
  handleCopyInResponse(): void {
    // The driver would say that there is nothing to be sent.
  }
}

function sendChunk(stream: Duplex, chunk: Uint8Array): void {
  const head = Buffer.allocUnsafe(1 + lengthBytes)
  head[0] = copyDataTag
  head.writeInt32BE(lengthBytes + chunk.length, 1)
  stream.write(head)
  stream.write(chunk)
}
