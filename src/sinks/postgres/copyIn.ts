import type { Duplex } from 'node:stream'
import type pg from 'pg'
import { runQuietly } from './quietQuery.ts'

const copyDataTag = 'd'.charCodeAt(0)
const lengthBytes = 4
const copyDone = Buffer.from([...Buffer.from('c'), 0, 0, 0, lengthBytes])

/**
 * Runs a COPY … FROM STDIN of bytes that are there already. They are sent behind the statement, without waiting until the server asks for them: one that has refused it reads past them.
 * So other statements may be on their way before and behind it.
 * @param chunks whole rows as the COPY takes them; nobody may write into them until the transaction has ended
 */
export function copyIn(client: pg.ClientBase, text: string, chunks: readonly Uint8Array[]): Promise<void> {
  return runQuietly(client, text, (connection) => {
    connection.query(text)
    const { stream } = connection
    for (const chunk of chunks) sendChunk(stream, chunk)
    stream.write(copyDone)
  })
}

function sendChunk(stream: Duplex, chunk: Uint8Array): void {
  const head = Buffer.allocUnsafe(1 + lengthBytes)
  head[0] = copyDataTag
  head.writeInt32BE(lengthBytes + chunk.length, 1)
  stream.write(head)
  stream.write(chunk)
}
