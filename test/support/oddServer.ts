import { type AddressInfo, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a server does that is none of those that are meant. */
export const oddBehaviours = {
  silent: () => undefined,
  'closes at once': (socket: Socket) => void socket.destroy(),
  'speaks HTTP': (socket: Socket) =>
    void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n')),
  'greets as a mail server': (socket: Socket) => void socket.write('220 mail.example.org ESMTP\r\n'),
  'answers zeros': (socket: Socket) => void socket.on('data', () => socket.write(Buffer.alloc(64))),
  'answers a length of 2 GB': (socket: Socket) =>
    void socket.once('data', () => socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1]))),
  'answers HTTP that never ends': (socket: Socket) =>
    void socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n')
      const drip = setInterval(() => socket.write(' '), 50)
      socket.once('close', () => clearInterval(drip))
    }),
} as const satisfies Readonly<Record<string, (socket: Socket) => void>>

/** A server of TCP that behaves so until the test is over; gives its port. */
export async function oddServer(behaviour: keyof typeof oddBehaviours): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    oddBehaviours[behaviour](socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}
