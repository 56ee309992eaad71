import { WebSocket } from 'ws'
import type { PostgresAddress } from '../../src/sinks/postgres/connection.ts'
import { type ConsoleOptions, type RunningConsole, serveConsole } from '../../src/web/consoleServer.ts'
import type { ClientMessage, ServerMessage } from '../../src/web/protocol.ts'

/** A console on a schema, on a free port of loopback. */
export function consoleOn(
  address: PostgresAddress,
  schema: string,
  options: Partial<ConsoleOptions> = {},
): Promise<RunningConsole> {
  return serveConsole({ ...consoleDefaults(address, schema), ...options })
}

export function consoleDefaults(address: PostgresAddress, schema: string): ConsoleOptions {
  return {
    host: '127.0.0.1',
    port: 0,
    mayMove: false,
    token: null,
    hostNames: [],
    address,
    onlySchema: schema,
    describe: (name) => ({ name, isSimulated: false }),
    version: '0.0.0-test',
    redrive: async () => ({ redriven: 0, recovered: 0, skipped: [] }),
    onError: () => undefined,
  }
}

/** What a page would be told. */
export interface LiveEar {
  readonly socket: WebSocket
  readonly heard: ServerMessage[]
  watch(wants: Partial<ClientMessage>): void
  /** The first message, of those heard already or to come, that fits. */
  until<T extends ServerMessage>(fits: (message: ServerMessage) => message is T, ms?: number): Promise<T>
  until(fits: (message: ServerMessage) => boolean, ms?: number): Promise<ServerMessage>
}

export async function listenTo(console: RunningConsole, headers: Record<string, string> = {}): Promise<LiveEar> {
  const socket = new WebSocket(`${console.url.replace('http', 'ws')}api/live`, { headers })
  const heard: ServerMessage[] = []
  const waiting = new Set<() => void>()
  socket.on('message', (data: Buffer) => {
    heard.push(JSON.parse(data.toString()) as ServerMessage)
    for (const look of waiting) look()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve())
    socket.once('error', reject)
  })
  return {
    socket,
    heard,
    watch: (wants) =>
      socket.send(JSON.stringify({ kind: 'watch', pipelines: false, symbols: null, series: [], ...wants })),
    until: (fits: (message: ServerMessage) => boolean, ms = 10_000) =>
      new Promise<never>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not told within ${ms} ms`)), ms)
        const look = () => {
          const found = heard.find(fits)
          if (found === undefined) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve(found as never)
        }
        waiting.add(look)
        look()
      }),
  }
}

export type SeriesMessage = Extract<ServerMessage, { kind: 'series' }>

export function isSeries(message: ServerMessage): message is SeriesMessage {
  return message.kind === 'series'
}

/** What has changed of a series since it was told whole. */
export function isPart(message: ServerMessage): message is SeriesMessage {
  return isSeries(message) && !message.isWhole
}
