import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { Connection, type ConnectionOptions } from '../../../src/sources/kafka/protocol/connection.ts'
import { ConnectionFailure } from '../../../src/sources/kafka/protocol/connectionFailure.ts'
import type { Exchange } from '../../../src/sources/kafka/protocol/exchange.ts'
import { heartbeat } from '../../../src/sources/kafka/protocol/groupExchanges.ts'
import { SpareBuffers } from '../../../src/sources/kafka/wire/spareBuffers.ts'

const me = { group: 'g', generation: 1, memberId: 'm', instanceId: null }
const servers: Server[] = []
const sockets: Socket[] = []
const connections: Connection[] = []

afterEach(() => {
  for (const connection of connections.splice(0)) connection.close()
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

interface Request {
  readonly key: number
  readonly id: number
  /** Behind the header without tagged fields. */
  readonly body: Buffer
}

/** A peer that answers each request as `answer` says. */
async function peer(answer: (request: Request, socket: Socket) => Buffer | null): Promise<number> {
  const server = createServer((socket) => {
    sockets.push(socket)
    let bytes = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE()) {
        const frame = bytes.subarray(4, 4 + bytes.readInt32BE())
        bytes = bytes.subarray(4 + frame.length)
        const body = frame.subarray(10 + frame.readInt16BE(8))
        const said = answer({ key: frame.readInt16BE(), id: frame.readInt32BE(4), body }, socket)
        if (said !== null) socket.write(said)
      }
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function connectionTo(port: number, own: Partial<ConnectionOptions> = {}): Connection {
  const limits = { connectTimeoutMs: 2_000, requestTimeoutMs: 2_000 }
  const connection = new Connection({
    ...{ host: '127.0.0.1', port, clientId: 'test', tls: null, credentials: null, ...limits },
    ...own,
  })
  connections.push(connection)
  return connection
}

function framed(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([int32(body.length), body])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** No tags, no throttling, no error, no tags. */
const alive = Buffer.alloc(8)

describe('a connection to a broker', () => {
  test('takes an answer however it comes: byte by byte, and several at once', async () => {
    const port = await peer(({ id }, socket) => {
      const answer = framed(int32(id), alive)
      if (id > 1) return answer
      const drip = (at: number): void => {
        if (at === answer.length) return
        socket.write(answer.subarray(at, at + 1))
        setImmediate(drip, at + 1)
      }
      drip(0)
      return null
    })
    const connection = connectionTo(port)
    await connection.open()
    await connection.ask(heartbeat, me)
    await Promise.all(Array.from({ length: 50 }, () => connection.ask(heartbeat, me)))
    expect(connection.isOpen).toBe(true)
  })

  test('takes answers of any size, one right behind the other, into the buffers that are given and others', async () => {
    const sizes = [0, 1, 65_528, 65_536, 65_537, 300_000, 1 << 20, 100, (4 << 20) - 8, 4 << 20, 9_000_000, 5]
    const bodies = sizes.map((size, i) => Buffer.alloc(size, createHash('sha512').update(String(i)).digest()))
    const port = await peer(({ id }) => {
      const body = bodies[(id - 1) % bodies.length] as Buffer
      return framed(int32(id), int32(body.length), body)
    })
    const bytes: Exchange<null, Buffer> = {
      ...heartbeat,
      tagged: { request: true, answer: false },
      write: () => undefined,
      read: (reader) => reader.plainBytes(),
    }
    const connection = connectionTo(port, { buffers: new SpareBuffers() })
    await connection.open()
    for (const body of bodies) expect((await connection.ask(bytes, null)).equals(body)).toBe(true)
    const together = await Promise.all(bodies.map(() => connection.ask(bytes, null)))
    expect(together.map((answer, i) => answer.equals(bodies[i] as Buffer))).toEqual(bodies.map(() => true))
  })

  test('fails a request that is not answered in time, and everything after it', async () => {
    const connection = connectionTo(await peer(() => null), { requestTimeoutMs: 50 })
    await connection.open()
    await expect(connection.ask(heartbeat, me)).rejects.toMatchObject({ kind: 'timeout' })
    expect(connection.isOpen).toBe(false)
    await expect(connection.ask(heartbeat, me)).rejects.toBeInstanceOf(ConnectionFailure)
  })

  test('fails what is under way when it is closed', async () => {
    const connection = connectionTo(await peer(() => null))
    await connection.open()
    const asked = connection.ask(heartbeat, me)
    connection.close()
    await expect(asked).rejects.toThrow('Connection closed')
  })

  test.each([
    ['is cut short', (id: number) => framed(int32(id), alive.subarray(0, 3))],
    ['has the length of another 2 GiB', () => int32(2 ** 31 - 1)],
    ['has a negative length', () => int32(-1)],
    ['has a length without room for its number', () => int32(3)],
    ['is of a request that nobody has made', (id: number) => framed(int32(id + 7), alive)],
    ['is all zeros', () => Buffer.alloc(64)],
    ['is HTTP', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['is TLS', () => Buffer.from([21, 3, 3, 0, 2, 2, 40])],
    ['counts more than it has', (id: number) => framed(int32(id), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]))],
  ])('fails at once where an answer %s, without giving memory to it', async (_, answer) => {
    const connection = connectionTo(await peer(({ id }) => answer(id)))
    await connection.open()
    const startedAt = performance.now()
    const held = process.memoryUsage().arrayBuffers
    await expect(connection.ask(heartbeat, me)).rejects.toBeInstanceOf(ConnectionFailure)
    expect(performance.now() - startedAt).toBeLessThan(1_500)
    expect(process.memoryUsage().arrayBuffers - held).toBeLessThan(8 << 20)
  })

  test('gives a long answer memory only as it comes', async () => {
    const connection = connectionTo(await peer(({ id }) => Buffer.concat([int32(500 << 20), int32(id)])), {
      requestTimeoutMs: 300,
    })
    await connection.open()
    const held = process.memoryUsage().arrayBuffers
    const asked = expect(connection.ask(heartbeat, me)).rejects.toMatchObject({ kind: 'timeout' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(process.memoryUsage().arrayBuffers - held).toBeLessThan(8 << 20)
    await asked
  })

  test('hears nothing that nobody has asked for', async () => {
    const port = await peer((_, socket) => {
      socket.write(framed(int32(99), alive))
      return null
    })
    const connection = connectionTo(port)
    await connection.open()
    await expect(connection.ask(heartbeat, me)).rejects.toThrow('The answer is nothing of Kafka')
  })
})

const handshakeKey = 17
const password = 'secret of a test'
const credentials = { mechanism: 'scram-sha-256', username: 'a=b,c,d', password } as const

/** What a broker does in a login by SCRAM-SHA-256 (RFC 5802), with what is wrong about it. */
async function scramBroker(wrong: {
  readonly iterations?: number
  readonly nonce?: string
  readonly verifier?: string
  readonly sessionMs?: bigint
}): Promise<{ readonly port: number; readonly names: readonly string[] }> {
  const names: string[] = []
  const salt = Buffer.from('salt of a test')
  const iterations = wrong.iterations ?? 4_096
  let first = ''
  let challenge = ''
  const said = (id: number, text: string): Buffer => {
    const session = Buffer.alloc(8)
    session.writeBigInt64BE(wrong.sessionMs ?? 0n)
    const noError = Buffer.from([0, 0, 0xff, 0xff])
    return framed(int32(id), noError, int32(text.length), Buffer.from(text), session)
  }
  const port = await peer(({ key, id, body }) => {
    if (key === handshakeKey) return framed(int32(id), Buffer.from([0, 0]), int32(0))
    const text = body.subarray(4).toString()
    if (text.startsWith('n,,')) {
      first = text.slice(3)
      names.push(/n=(.*),r=/.exec(first)?.[1] ?? '')
      const theirs = /r=(.*)$/.exec(first)?.[1]
      challenge = `r=${wrong.nonce ?? `${theirs}server`},s=${salt.toString('base64')},i=${iterations}`
      return said(id, challenge)
    }
    const salted = pbkdf2Sync(password, salt, 4_096, 32, 'sha256')
    const sign = (by: Buffer, what: string) => createHmac('sha256', by).update(what).digest()
    const signed = `${first},${challenge},${text.slice(0, text.indexOf(',p='))}`
    const clientKey = sign(salted, 'Client Key')
    const signature = sign(createHash('sha256').update(clientKey).digest(), signed)
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ signature[at]!)).toString('base64')
    if (text.slice(text.indexOf(',p=') + 3) !== proof) return said(id, 'e=invalid-proof')
    return said(id, `v=${wrong.verifier ?? sign(sign(salted, 'Server Key'), signed).toString('base64')}`)
  })
  return { port, names }
}

describe('a login by SCRAM', () => {
  test('proves the password to a broker that proves it as well, and escapes the name', async () => {
    const { port, names } = await scramBroker({})
    const connection = connectionTo(port, { credentials })
    await connection.open()
    expect(connection.isOpen).toBe(true)
    expect(names).toEqual(['a=3Db=2Cc=2Cd'])
  })

  test.each([
    ['does not know the password', { verifier: Buffer.alloc(32).toString('base64') }],
    ['leaves its proof out', { verifier: '' }],
    ['wants so few iterations that the password could be guessed', { iterations: 1 }],
    ['wants the client to be busy for minutes', { iterations: 2_000_000_000 }],
    ['has a nonce of another login', { nonce: 'another' }],
    ['has no nonce at all', { nonce: '' }],
  ])('is given up where the broker %s', async (_, wrong) => {
    const { port } = await scramBroker(wrong)
    const connection = connectionTo(port, { credentials })
    await expect(connection.open()).rejects.toMatchObject({ kind: 'login' })
    expect(connection.isOpen).toBe(false)
  })

  test('does not accept another password', async () => {
    const { port } = await scramBroker({})
    const connection = connectionTo(port, { credentials: { ...credentials, password: 'another' } })
    await expect(connection.open()).rejects.toMatchObject({ kind: 'login', cause: { message: 'invalid-proof' } })
  })

  test('holds until the session nears its end', async () => {
    const { port } = await scramBroker({ sessionMs: 500n })
    const connection = connectionTo(port, { credentials })
    await connection.open()
    expect(connection.isOpen).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 450))
    expect(connection.isOpen).toBe(false)
  })
})
