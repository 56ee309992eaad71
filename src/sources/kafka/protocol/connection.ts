import { connect, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import { isTlsRecord } from '../tlsAnswer.ts'
import { AnswerReader } from './answerReader.ts'
import { ConnectionFailure } from './connectionFailure.ts'
import type { Exchange } from './exchange.ts'
import { type Credentials, login } from './login.ts'
import { RequestWriter } from './requestWriter.ts'

/** Gives the buffers that large answers are read into. */
export interface AnswerBuffers {
  /** One of so many bytes. */
  take(length: number): Buffer
}

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  /** What brokers call this program. */
  readonly clientId: string
  /** Null for plain text. */
  readonly tls: TlsOptions | null
  readonly credentials: Credentials | null
  /** Until TLS and the login are done, too. */
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly buffers?: AnswerBuffers
}

interface Pending {
  answered(bytes: Buffer): void
  failed(error: Error): void
}

const LENGTH_BYTES = 4
const ID_BYTES = 4
const LARGEST_ID = 0x7fffffff
/** What is not from a broker reads as a longer one: four characters of ASCII are 512 MiB or more. */
const TOO_LONG_BYTES = 0x20_00_00_00
const LARGE_BYTES = 64 << 10
/** A longer answer gets more memory only as it comes. */
const TRUSTED_BYTES = 4 << 20
/** A session is ended before the broker ends it, which it does in mid-request. */
const SHARE_OF_SESSION = 0.8
/** What comes is copied out of it before the next is read, so all connections share one. Of a large answer all but the beginning comes into the buffer of the answer. */
const arriving = Buffer.allocUnsafeSlow(64 << 10)

/**
 * One connection to a broker, with TLS and SASL: requests go out as they are asked, and their answers come in the same order.
 *
 * It fails once: with a request that is not answered in time, what is no answer, or what the socket says. Then all requests under way fail with that, and every later one.
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #pending = new Map<number, Pending>()
  readonly #length = Buffer.alloc(LENGTH_BYTES)
  #socket: Socket | null = null
  #failure: Error | null = null
  #isReady = false
  #openUntil = Number.POSITIVE_INFINITY
  #lastId = 0
  #hasHeard = false
  /** How many bytes of the length, or else of the answer, are there. */
  #filled = 0
  #answer: Buffer | null = null
  #answerLength = 0
  /** What is left to be filled of the answer, while the socket reads straight into it. */
  #rest: Buffer | null = null

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** False as well once its session nears its end: then one takes another connection, and logs in anew. */
  get isOpen(): boolean {
    return this.#isReady && this.#failure === null && performance.now() < this.#openUntil
  }

  /** Connects, by TLS and with a login where these are wanted. Throws `ConnectionFailure` and `Refusal`. */
  async open(): Promise<void> {
    const { host, port, connectTimeoutMs, credentials } = this.#options
    const timer = setTimeout(
      () => this.#fail(new ConnectionFailure('timeout', `Connection to ${host}:${port} timed out`)),
      connectTimeoutMs,
    )
    try {
      await this.#connected()
      if (credentials !== null) {
        const sessionMs = await login(this, credentials)
        if (sessionMs > 0) this.#openUntil = performance.now() + sessionMs * SHARE_OF_SESSION
      }
      this.#isReady = true
    } catch (error) {
      this.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Sends the request and gives what its answer says. */
  ask<Question, Answer>(exchange: Exchange<Question, Answer>, question: Question): Promise<Answer> {
    const { clientId, requestTimeoutMs } = this.#options
    const { key, version, tagged } = exchange
    const id = this.#lastId === LARGEST_ID ? 1 : this.#lastId + 1
    this.#lastId = id
    return new Promise((resolve, reject) => {
      const socket = this.#socket
      if (this.#failure !== null || socket === null) throw this.#failure ?? closed()
      const writer = new RequestWriter().int16(key).int16(version).int32(id).plainText(clientId)
      if (tagged.request) writer.end()
      exchange.write(writer, question)
      const timer = setTimeout(
        () => this.#fail(new ConnectionFailure('timeout', 'Request timed out')),
        requestTimeoutMs,
      )
      this.#pending.set(id, {
        answered: (bytes) => {
          clearTimeout(timer)
          try {
            const reader = new AnswerReader(bytes)
            if (tagged.answer) reader.end()
            resolve(exchange.read(reader))
          } catch (error) {
            reject(error instanceof RangeError ? notOfKafka(error) : error)
          }
        },
        failed: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
      socket.write(writer.framed())
    })
  }

  /** Closes at once; requests under way fail. */
  close(): void {
    this.#fail(closed())
  }

  #connected(): Promise<void> {
    const { host, port, tls } = this.#options
    const onread: OnReadOpts = {
      buffer: () => this.#next(),
      callback: (length, into) => {
        if (into === this.#rest) this.#passed(length)
        else this.#take(arriving.subarray(0, length))
        return true
      },
    }
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) throw this.#failure
      const place = { host, port, onread }
      const socket = tls === null ? connect(place) : connectTls({ ...tls, ...place })
      this.#socket = socket
      socket.setNoDelay(true)
      socket.once(tls === null ? 'connect' : 'secureConnect', resolve)
      socket.on('error', (cause) =>
        this.#fail(new ConnectionFailure('network', `Connection to ${host}:${port} failed`, { cause })),
      )
      socket.once('close', () => {
        this.#fail(closed())
        reject(this.#failure ?? closed())
      })
    })
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    for (const { failed } of this.#pending.values()) failed(error)
    this.#pending.clear()
    this.#answer = null
    this.#socket?.destroy()
  }

  #take(bytes: Buffer): void {
    if (!this.#hasHeard) {
      this.#hasHeard = true
      if (this.#options.tls === null && isTlsRecord(bytes)) {
        this.#fail(new ConnectionFailure('network', 'The broker requires TLS'))
        return
      }
    }
    for (let at = 0; at < bytes.length && this.#failure === null; ) {
      const into = this.#answer ?? this.#length
      const copied = bytes.copy(into, this.#filled, at)
      at += copied
      this.#filled += copied
      this.#look(into)
    }
  }

  /** Where the next bytes go: what has begun to come is not read elsewhere first. */
  #next(): Buffer {
    this.#rest = this.#answer?.subarray(this.#filled) ?? null
    return this.#rest ?? arriving
  }

  /** So many bytes have come into the answer. */
  #passed(length: number): void {
    if (this.#answer === null) return
    this.#filled += length
    this.#look(this.#answer)
  }

  /** Looks whether what is being filled is full. */
  #look(into: Buffer): void {
    if (this.#filled < into.length) return
    if (into === this.#length) this.#begin(this.#length.readInt32BE())
    else if (this.#filled < this.#answerLength) this.#answer = this.#grown(into)
    else this.#end(into)
  }

  #grown(answer: Buffer): Buffer {
    const grown = Buffer.allocUnsafe(Math.min(this.#answerLength, 2 * answer.length))
    answer.copy(grown)
    return grown
  }

  #begin(length: number): void {
    this.#filled = 0
    if (length < ID_BYTES || length >= TOO_LONG_BYTES || this.#pending.size === 0) {
      this.#fail(notOfKafka())
      return
    }
    const { buffers } = this.#options
    const isLarge = length >= LARGE_BYTES && length <= TRUSTED_BYTES
    this.#answerLength = length
    this.#answer =
      isLarge && buffers !== undefined ? buffers.take(length) : Buffer.allocUnsafe(Math.min(length, TRUSTED_BYTES))
  }

  #end(answer: Buffer): void {
    this.#filled = 0
    this.#answer = null
    const id = answer.readInt32BE()
    const pending = this.#pending.get(id)
    if (pending === undefined) {
      this.#fail(notOfKafka())
      return
    }
    this.#pending.delete(id)
    pending.answered(answer.subarray(ID_BYTES))
  }
}

function closed(): ConnectionFailure {
  return new ConnectionFailure('network', 'Connection closed')
}

function notOfKafka(cause?: Error): ConnectionFailure {
  return new ConnectionFailure('network', 'The answer is nothing of Kafka', { cause })
}
