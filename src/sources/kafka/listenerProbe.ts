import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ConfigurationError, type MillraceError, RetryableError } from '../../runtime/errors.ts'
import type { KafkaSettings } from './kafkaSettings.ts'
import { isTlsRecord } from './tlsAnswer.ts'
import { parseAddress } from './wire/address.ts'

/** What a listener says to two questions that need no login. */
interface ListenerAnswer {
  /** What a login may be made by; null where none is taken. */
  readonly mechanisms: readonly string[] | null
}

/**
 * The trouble, or the setting that is behind it. A listener that does not like how it is spoken to only closes the connection, as one does that is
 * starting; so it is asked in another way. Asks only while nothing has worked yet, and what the answers leave open stays as it is.
 */
export async function decisiveTrouble(trouble: MillraceError, settings: KafkaSettings): Promise<MillraceError> {
  const isLogin = trouble instanceof ConfigurationError && /kafka\.sasl/.test(trouble.message)
  if (!(trouble instanceof RetryableError) && !isLogin) return trouble
  for (const address of settings.brokers) {
    const remedy = await remedyOf(address, settings)
    if (remedy === null) continue
    const place = trouble.topic === undefined ? {} : { topic: trouble.topic }
    return new ConfigurationError(`Kafka: the listener at ${address} ${remedy}`, { ...place, cause: trouble })
  }
  return trouble
}

async function remedyOf(address: string, settings: KafkaSettings): Promise<string | null> {
  const { ssl, sasl } = settings
  const plain = await ask(address, settings, false)
  if (plain === 'tls')
    return ssl === false
      ? 'requires TLS. Set kafka.ssl (KAFKA_SSL=true), or name a listener without it.'
      : loginOf(await ask(address, settings, true), sasl)
  if (plain === null) return null
  if (ssl !== false)
    return 'does not speak TLS. Unset kafka.ssl (KAFKA_SSL), or name one in kafka.brokers (KAFKA_BROKERS) that does.'
  return loginOf(plain, sasl)
}

function loginOf(answer: ListenerAnswer | 'tls' | null, sasl: KafkaSettings['sasl']): string | null {
  if (answer === null || answer === 'tls') return null
  const { mechanisms } = answer
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

const SASL_HANDSHAKE = 17
const API_VERSIONS = 18
const UNSUPPORTED_SASL_MECHANISM = 33
/** A mechanism that there is not, so that the answer is the list of those that there are. */
const NO_MECHANISM = 'NONE'
/** An answer to these questions is a few hundred bytes long. */
const MOST_BYTES = 65_536

/** Null where nothing, or nothing that is Kafka, answers in time. */
function ask(address: string, settings: KafkaSettings, isTls: boolean): Promise<ListenerAnswer | 'tls' | null> {
  return new Promise((resolve) => {
    const socket = open(address, settings, isTls)
    let bytes = Buffer.alloc(0)
    let question = API_VERSIONS
    const done = (answer: ListenerAnswer | 'tls' | null) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => done(null), settings.connectTimeoutMs)
    socket.once(isTls ? 'secureConnect' : 'connect', () => socket.write(request(API_VERSIONS, 0, '')))
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (!isTls && isTlsRecord(bytes)) return done('tls')
      if (bytes.length < 4) return
      const length = bytes.readInt32BE(0)
      if (length < 6 || length > MOST_BYTES) return done(null)
      if (bytes.length < 4 + length) return
      const body = bytes.subarray(4, 4 + length)
      bytes = bytes.subarray(4 + length)
      if (body.readInt32BE(0) !== question) return done(null)
      if (question === SASL_HANDSHAKE) return done(mechanismsIn(body))
      question = SASL_HANDSHAKE
      socket.write(request(SASL_HANDSHAKE, 1, NO_MECHANISM))
    })
    socket.once('error', () => done(null))
    socket.once('close', () => done(null))
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

function mechanismsIn(body: Buffer): ListenerAnswer {
  if (body.readInt16BE(4) !== UNSUPPORTED_SASL_MECHANISM) return { mechanisms: null }
  const mechanisms: string[] = []
  let at = 10
  for (let left = body.length >= 10 ? body.readInt32BE(6) : 0; left > 0 && at + 2 <= body.length; left--) {
    const length = body.readInt16BE(at)
    mechanisms.push(body.toString('utf8', at + 2, at + 2 + length))
    at += 2 + length
  }
  return { mechanisms }
}
