import type pg from 'pg'
import { runQuietly } from './quietQuery.ts'

/** What a parameter may be; PostgreSQL reads its text. */
export type Parameter = string | number | boolean | null

/** A statement that a connection prepares once, under its name of ASCII. */
export interface Statement {
  readonly name: string
  readonly text: string
  readonly values: readonly Parameter[]
}

/** What the driver knows of a connection: the texts of what is prepared on it, by name. */
interface PreparedStatements {
  readonly parsedStatements: Record<string, string | undefined>
}

const lengthBytes = 4
const countBytes = 2
const allRows = [0, 0, 0, 0]
/** What runs so many statements, by their number. */
const runs: Buffer[] = []

/**
 * Runs statements whose rows nobody asks for, one after the other, in one transaction of their own, or in the one that has begun; in that, one at a time.
 *
 * All that they send is one piece of bytes, and the server answers it once. Their parameters go ahead, and the words that run them follow in a few bytes: so nothing is begun, and no row locked, before as good as
 * all has come; what a part that has come does keep is that its tables are not altered. The first that fails ends the transaction, and is what this rejects with.
 */
export async function execute(client: pg.ClientBase, statements: readonly Statement[]): Promise<void> {
  const { parsedStatements } = (client as unknown as { readonly connection: PreparedStatements }).connection
  const fresh = statements.filter(({ name }) => parsedStatements[name] === undefined)
  const bytes = piece(statements, new Set(fresh))
  let isPrepared = false
  try {
    await runQuietly(client, 'execute', ({ stream }) => stream.write(bytes))
    isPrepared = true
  } finally {
    // A piece sent before this one may have prepared what this one has let go of.
    for (const { name, text } of fresh) parsedStatements[name] = isPrepared ? text : undefined
  }
}

/** Runs a statement without parameters, such as BEGIN. */
export function executeText(client: pg.ClientBase, text: string): Promise<void> {
  return runQuietly(client, text, (connection) => connection.query(text))
}

function piece(statements: readonly Statement[], fresh: ReadonlySet<Statement>): Buffer {
  const parts: Buffer[] = []
  for (const [i, statement] of statements.entries()) {
    if (fresh.has(statement)) parts.push(preparation(statement))
    parts.push(binding(portalOf(i), statement))
  }
  parts.push(runOf(statements.length))
  return Buffer.concat(parts)
}

/** Execute of each portal, and Sync. */
function runOf(count: number): Buffer {
  const known = runs[count]
  if (known !== undefined) return known
  const executes = Array.from({ length: count }, (_, i) => message('E', [...text(portalOf(i)), ...allRows]))
  const made = Buffer.concat([...executes, message('S', [])])
  runs[count] = made
  return made
}

/** A transaction that has begun would keep portals that have a name. */
function portalOf(number: number): string {
  return number === 0 ? '' : String(number)
}

/** One that was asked for and has failed may be there or not, so it is let go first. */
function preparation({ name, text: sql }: Statement): Buffer {
  const ofAnyTypes = [0, 0]
  return Buffer.concat([
    message('C', [...Buffer.from('S'), ...text(name)]),
    message('P', [...text(name), ...text(sql), ...ofAnyTypes]),
  ])
}

function binding(portal: string, { name, values }: Statement): Buffer {
  const texts = values.map((value) => (value === null ? null : String(value)))
  // The portal and the name with their ends, no formats since all are text, how many parameters there are, and, behind them, no formats of results.
  let length = lengthBytes + portal.length + 1 + name.length + 1 + 3 * countBytes
  for (const one of texts) length += lengthBytes + (one === null ? 0 : Buffer.byteLength(one))
  const bytes = Buffer.allocUnsafe(1 + length)
  let at = bytes.write('B')
  at = bytes.writeInt32BE(length, at)
  at += bytes.write(`${portal}\0${name}\0\0\0`, at, 'latin1')
  at = bytes.writeUInt16BE(texts.length, at)
  for (const one of texts) {
    const lengthAt = at
    at += lengthBytes
    if (one !== null) at += bytes.write(one, at)
    bytes.writeInt32BE(one === null ? -1 : at - lengthAt - lengthBytes, lengthAt)
  }
  bytes.writeUInt16BE(0, at)
  return bytes
}

/** As the protocol has texts: up to a zero. */
function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

function message(tag: string, body: Iterable<number>): Buffer {
  const bytes = Buffer.from([...Buffer.from(tag), 0, 0, 0, 0, ...body])
  bytes.writeInt32BE(bytes.length - 1, 1)
  return bytes
}
