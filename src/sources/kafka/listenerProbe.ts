import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ConfigurationError, type MillraceError, RetryableError } from '../../runtime/errors.ts'
import { type FirstWords, Silence, speakerOf } from '../../runtime/firstWords.ts'
import type { KafkaSettings } from './kafkaSettings.ts'
import { isTlsRecord } from './tlsAnswer.ts'
import { parseAddress } from './wire/address.ts'

/** What a listener says to two questions that need no login. */
interface ListenerAnswer {
  readonly kind: 'kafka'
  /** What a login may be made by; null where none is taken. */
  readonly mechanisms: readonly string[] | null
  /** False for a controller, which knows no topics. */
  readonly isBroker: boolean
}

/** The same, or what else comes instead: TLS, what is nothing of Kafka, a connection that stays silent or is closed. */
type Answer = ListenerAnswer | { readonly kind: 'tls' } | FirstWords

/**
 * The trouble, or the setting that is behind it. A listener that does not like how it is spoken to only closes the connection, as one does that is
 * starting; so it is asked in another way. Asks only while nothing has worked yet, and what the answers leave open stays as it is. The cause is `Silence` where a
 * listener takes connections and says nothing.
 */
export async function decisiveTrouble(trouble: MillraceError, settings: KafkaSettings): Promise<MillraceError> {
  const isLogin = trouble instanceof ConfigurationError && /kafka\.sasl/.test(trouble.message)
  if (!(trouble instanceof RetryableError) && !isLogin) return trouble
  const place = trouble.topic === undefined ? {} : { topic: trouble.topic }
  let silent: string | null = null
  for (const address of settings.brokers) {
    const remedy = await remedyOf(address, settings)
    if (remedy === 'silent') silent ??= address
    else if (remedy !== null)
      return new ConfigurationError(`Kafka: the listener at ${address} ${remedy}`, { ...place, cause: trouble })
  }
  if (silent === null || isLogin) return trouble
  return new RetryableError(
    `Kafka: ${silent} takes connections and says nothing: no broker listens there (kafka.brokers, KAFKA_BROKERS), or it hangs.`,
    { ...place, cause: new Silence(silent) },
  )
}

async function remedyOf(address: string, settings: KafkaSettings): Promise<string | null> {
  const { ssl, sasl } = settings
  const plain = await ask(address, settings, false)
  if (plain.kind === 'closed' || plain.kind === 'silent') return plain.kind === 'silent' ? 'silent' : null
  if (plain.kind === 'tls')
    return ssl === false
      ? 'requires TLS. Set kafka.ssl (KAFKA_SSL=true), or name a listener without it.'
      : remedyFor(await ask(address, settings, true), sasl)
  if (ssl === false) return remedyFor(plain, sasl)
  if (plain.kind === 'kafka')
    return 'does not speak TLS. Unset kafka.ssl (KAFKA_SSL), or name one in kafka.brokers (KAFKA_BROKERS) that does.'
  // What stands before a listener for TLS may answer in words of its own to whoever does not speak it.
  const secret = await ask(address, settings, true)
  return secret.kind === 'closed' ? remedyFor(plain, sasl) : remedyFor(secret, sasl)
}

function remedyFor(answer: Answer, sasl: KafkaSettings['sasl']): string | null {
  if (answer.kind === 'words')
    return `is no broker of Kafka: ${speakerOf(answer.bytes)}. Name a listener of a broker in kafka.brokers (KAFKA_BROKERS).`
  if (answer.kind !== 'kafka') return answer.kind === 'silent' ? 'silent' : null
  if (!answer.isBroker)
    return 'is that of a controller, which has no topics. Name one of a broker in kafka.brokers (KAFKA_BROKERS).'
  return loginOf(answer, sasl)
}

function loginOf({ mechanisms }: ListenerAnswer, sasl: KafkaSettings['sasl']): string | null {
  if (mechanisms === null) {
    return sasl === undefined
      ? null
      : 'takes no credentials: unset kafka.sasl (KAFKA_SASL_*), or name one in kafka.brokers that does.'
  }
  const taken = mechanisms.length === 0 ? 'a login' : `a login by ${mechanisms.join(' or ')}`
  if (sasl === undefined) {
    return `wants ${taken}. Set kafka.sasl (KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD).`
  }
  const wanted = sasl.mechanism.toUpperCase()
  if (mechanisms.length === 0 || mechanisms.includes(wanted)) return null
  return `takes ${taken}, and none by ${wanted}. Set kafka.sasl.mechanism (KAFKA_SASL_MECHANISM) to one of these.`
}

const METADATA = 3
const SASL_HANDSHAKE = 17
const API_VERSIONS = 18
const UNSUPPORTED_SASL_MECHANISM = 33
/** A mechanism that there is not, so that the answer is the list of those that there are. */
const NO_MECHANISM = 'NONE'
/** An answer to these questions is a few hundred bytes long. */
const MOST_BYTES = 65_536

function ask(address: string, settings: KafkaSettings, isTls: boolean): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = open(address, settings, isTls)
    let bytes = Buffer.alloc(0)
    let question = API_VERSIONS
    let isBroker = true
    let isOpen = false
    const done = (answer: Answer) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const other = () => done({ kind: 'words', bytes })
    const over = () => (bytes.length > 0 ? other() : done({ kind: isOpen ? 'silent' : 'closed' }))
    const timer = setTimeout(over, settings.connectTimeoutMs)
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      isOpen = true
      timer.refresh()
      socket.write(request(API_VERSIONS, 0, ''))
    })
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (!isTls && isTlsRecord(bytes)) return done({ kind: 'tls' })
      if (bytes.length < 4) return
      const length = bytes.readInt32BE(0)
      if (length < 6 || length > MOST_BYTES) return other()
      if (bytes.length < 4 + length) return
      const body = bytes.subarray(4, 4 + length)
      if (body.readInt32BE(0) !== question) return other()
      bytes = bytes.subarray(4 + length)
      if (question === SASL_HANDSHAKE) return done({ kind: 'kafka', mechanisms: mechanismsIn(body), isBroker })
      isBroker = knowsTopics(body)
      question = SASL_HANDSHAKE
      socket.write(request(SASL_HANDSHAKE, 1, NO_MECHANISM))
    })
    // A controller does not know the second question and hangs up.
    const end = () =>
      question === SASL_HANDSHAKE && !isBroker
        ? done({ kind: 'kafka', mechanisms: null, isBroker })
        : bytes.length > 0
          ? other()
          : done({ kind: 'closed' })
    socket.once('error', end)
    socket.once('close', end)
  })
}

function open(address: string, { ssl, connectTimeoutMs }: KafkaSettings, isTls: boolean): Socket {
  const place = { ...parseAddress(address), timeout: connectTimeoutMs }
  if (!isTls) return connect(place)
  const name = isIP(place.host) === 0 ? { servername: place.host } : {}
  return connectTls({ ...place, ...name, ...(typeof ssl === 'object' ? defined(ssl) : {}) })
}

function defined(given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** The key is the number of the request as well, so that an answer is known. */
function request(key: number, version: number, text: string): Buffer {
  const body = text === '' ? Buffer.alloc(0) : Buffer.alloc(2 + text.length)
  if (text !== '') {
    body.writeInt16BE(text.length, 0)
    body.write(text, 2)
  }
  const head = Buffer.alloc(14)
  head.writeInt32BE(10 + body.length, 0)
  head.writeInt16BE(key, 4)
  head.writeInt16BE(version, 6)
  head.writeInt32BE(key, 8)
  // No client id.
  head.writeInt16BE(-1, 12)
  return Buffer.concat([head, body])
}

/** Whether the requests that it takes are those of a broker: a controller takes none for metadata of topics. */
function knowsTopics(body: Buffer): boolean {
  if (body.length < 10 || body.readInt16BE(4) !== 0) return true
  const entry = 6
  for (let left = body.readInt32BE(6), at = 10; left > 0 && at + entry <= body.length; left--, at += entry)
    if (body.readInt16BE(at) === METADATA) return true
  return false
}

function mechanismsIn(body: Buffer): readonly string[] | null {
  if (body.readInt16BE(4) !== UNSUPPORTED_SASL_MECHANISM) return null
  const mechanisms: string[] = []
  let at = 10
  for (let left = body.length >= 10 ? body.readInt32BE(6) : 0; left > 0 && at + 2 <= body.length; left--) {
    const length = body.readInt16BE(at)
    mechanisms.push(body.toString('utf8', at + 2, at + 2 + length))
    at += 2 + length
  }
  return mechanisms
}
