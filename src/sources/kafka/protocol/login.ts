import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { ConnectionFailure } from './connectionFailure.ts'
import type { Exchange } from './exchange.ts'
import { requireNone } from './refusal.ts'

export interface Credentials {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

/** What a login is made on. */
interface Speaker {
  ask<Question, Answer>(exchange: Exchange<Question, Answer>, question: Question): Promise<Answer>
}

interface ServerWord {
  readonly bytes: Buffer
  /** How long the login holds, in ms; 0 for as long as the connection. */
  readonly sessionMs: number
}

/** Before there were flexible versions: brokers that are too old for everything else are still told from those that refuse a password. */
const plain = { request: false, answer: false } as const

/** SaslHandshake, since Kafka 1.0. */
const handshake: Exchange<string, void> = {
  key: 17,
  version: 1,
  tagged: plain,
  write: (writer, mechanism) => writer.plainText(mechanism),
  read(reader) {
    requireNone(reader.int16())
    reader.plainList(() => reader.plainText())
  },
}

/** SaslAuthenticate, since Kafka 2.2. */
const authenticate: Exchange<Buffer, ServerWord> = {
  key: 36,
  version: 1,
  tagged: plain,
  write: (writer, bytes) => writer.plainBytes(bytes),
  read(reader) {
    requireNone(reader.int16(), reader.plainText())
    return { bytes: reader.plainBytes(), sessionMs: Number(reader.int64()) }
  },
}

/** Logs in, and says how long that holds, in ms; 0 for as long as the connection. Throws `ConnectionFailure` with what is behind it. */
export async function login(speaker: Speaker, credentials: Credentials): Promise<number> {
  const { mechanism, username, password } = credentials
  try {
    await speaker.ask(handshake, mechanism.toUpperCase())
  } catch (cause) {
    throw new ConnectionFailure('login', 'Cannot find a suitable SASL mechanism', { cause })
  }
  try {
    const { sessionMs } =
      mechanism === 'plain'
        ? await speaker.ask(authenticate, Buffer.from(`\0${username}\0${password}`))
        : await challenged(speaker, credentials)
    return sessionMs
  } catch (cause) {
    throw new ConnectionFailure('login', 'SASL authentication failed', { cause })
  }
}

const NO_BINDING = 'n,,'
/** As RFC 5802 has it; a server that wants fewer would have the password guessed from what it hears. */
const LEAST_ITERATIONS = 4_096
/** Half a second of a processor, and ten times what brokers are given. One that wants more would have the client busy with nothing else. */
const MOST_ITERATIONS = 1_000_000
const derive = promisify(pbkdf2)

/** SCRAM (RFC 5802): the server gets a proof of the password and never the password, and has to prove that it knows it as well. */
async function challenged(speaker: Speaker, { mechanism, username, password }: Credentials): Promise<ServerWord> {
  const hash = mechanism === 'scram-sha-256' ? 'sha256' : 'sha512'
  const sign = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  const nonce = randomBytes(24).toString('base64url')
  const first = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
  const challenge = (await speaker.ask(authenticate, Buffer.from(`${NO_BINDING}${first}`))).bytes.toString()
  const { r: bothNonces = '', s: salt = '', i: count = '' } = attributesOf(challenge)
  const iterations = Number(count)
  const isBounded = iterations >= LEAST_ITERATIONS && iterations <= MOST_ITERATIONS && Number.isInteger(iterations)
  if (!isBounded || !bothNonces.startsWith(nonce) || bothNonces === nonce)
    throw new Error('the challenge of the broker is not one of SCRAM')
  const length = hash === 'sha256' ? 32 : 64
  const salted = await derive(password, Buffer.from(salt, 'base64'), iterations, length, hash)
  const clientKey = sign(salted, 'Client Key')
  const last = `c=${Buffer.from(NO_BINDING).toString('base64')},r=${bothNonces}`
  const signed = `${first},${challenge},${last}`
  const signature = sign(createHash(hash).update(clientKey).digest(), signed)
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number))).toString('base64')
  const answer = await speaker.ask(authenticate, Buffer.from(`${last},p=${proof}`))
  const { v: verifier, e: refused } = attributesOf(answer.bytes.toString())
  if (refused !== undefined) throw new Error(refused)
  if (verifier !== sign(sign(salted, 'Server Key'), signed).toString('base64'))
    throw new Error('the broker does not know the password either')
  return answer
}

/** Of a message of SCRAM: `r=…,s=…,i=…`. */
function attributesOf(message: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    message.split(',').map((part) => {
      const at = part.indexOf('=')
      return [part.slice(0, at), part.slice(at + 1)]
    }),
  )
}
