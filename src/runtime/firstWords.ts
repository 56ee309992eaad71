import { connect } from 'node:net'

/** The cause of an error where somebody takes connections and says nothing, which a start waits for only so long. */
export class Silence extends Error {
  /** @param address of the one who is silent */
  constructor(address: string) {
    super(`${address} takes connections and says nothing`)
    this.name = 'Silence'
  }
}

/** What a server says to a greeting: some bytes, nothing while it keeps the connection, or that there is none. */
export type FirstWords =
  | { readonly kind: 'words'; readonly bytes: Buffer }
  | { readonly kind: 'silent' }
  | { readonly kind: 'closed' }

/** Connects without TLS, sends the greeting and takes what comes first. Ends within twice the time, and leaves nothing open. */
export function firstWords(
  { host, port }: { readonly host: string; readonly port: number },
  greeting: Uint8Array,
  timeoutMs: number,
): Promise<FirstWords> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    let isConnected = false
    const done = (found: FirstWords) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(found)
    }
    const over = () => done({ kind: isConnected ? 'silent' : 'closed' })
    let timer = setTimeout(over, timeoutMs)
    socket.once('connect', () => {
      isConnected = true
      clearTimeout(timer)
      timer = setTimeout(over, timeoutMs)
      socket.write(greeting)
    })
    socket.once('data', (bytes: Buffer) => done({ kind: 'words', bytes }))
    socket.once('error', () => done({ kind: 'closed' }))
    socket.once('close', () => done({ kind: 'closed' }))
  })
}

const mostQuoted = 60
const mostBytes = 8

/** Whose words these are, as far as one can tell, in words of ours: "it answers as a server of HTTP does". */
export function speakerOf(bytes: Buffer): string {
  const text = bytes.subarray(0, 200).toString('latin1')
  if (text.startsWith('HTTP/')) return 'it answers as a server of HTTP does'
  if (/^[EN]/.test(text) && /SFATAL|unsupported frontend protocol/.test(text)) return 'it answers as PostgreSQL does'
  if (/^220[ -]/.test(text)) return 'it answers as a mail server does'
  if (text.startsWith('SSH-')) return 'it answers as a server of SSH does'
  if (/^-(ERR|DENIED)|^\+OK/.test(text)) return 'it answers as Redis does'
  const start = text.slice(0, mostQuoted)
  return /^[\x20-\x7e\r\n\t]+$/.test(start)
    ? `it answers ${JSON.stringify(start)}`
    : `it answers bytes ${bytes.subarray(0, mostBytes).toString('hex')}`
}
