import { batch, computed, effect, signal } from '@preact/signals'
import type { PipelineView } from '../../../src/web/pipelineView.ts'
import type { ClientMessage, DataSet, ServerMessage } from '../../../src/web/protocol.ts'

/** Without a word for so long, what is shown is no longer called live. The server says something each second. */
const staleAfterMs = 2_700
const longestWaitMs = 5_000

type SeriesMessage = Extract<ServerMessage, { kind: 'series' }>
type SymbolsMessage = Extract<ServerMessage, { kind: 'symbols' }>
type Wishes = Omit<ClientMessage, 'kind'>

/** The clock of this page, ms since it was loaded; moves four times a second. */
export const pageClock = signal(performance.now())
setInterval(() => {
  pageClock.value = performance.now()
}, 250)

const heardAt = signal<number | null>(null)
const attempt = signal(0)
const nextTryAt = signal<number | null>(null)
const isOpen = signal(false)
const clockAhead = signal(0)

export const isTokenWanted = signal(false)
export const refused = signal<string | null>(null)
export const version = signal('')
export const dataSets = signal<readonly DataSet[] | null>(null)
export const serverWaits = signal<{ readonly what: string; readonly since: number } | null>(null)
export const pipelines = signal<readonly PipelineView[] | null>(null)
export const symbols = signal<SymbolsMessage | null>(null)

/** The clock of the server, ms UTC: whoever has a wrong clock is not told wrong ages. */
export const serverNow = computed(() => pageClock.value + clockAhead.value)

export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'stale'; readonly ageMs: number }
  | { readonly state: 'reconnecting'; readonly attempt: number; readonly inMs: number; readonly ageMs: number | null }

export const connection = computed<Connection>(() => {
  const ageMs = heardAt.value === null ? null : Math.max(0, pageClock.value - heardAt.value)
  if (!isOpen.value) {
    if (attempt.value === 0) return { state: 'connecting' }
    return {
      state: 'reconnecting',
      attempt: attempt.value,
      inMs: nextTryAt.value === null ? 0 : Math.max(0, nextTryAt.value - pageClock.value),
      ageMs,
    }
  }
  if (ageMs === null) return { state: 'connecting' }
  return ageMs > staleAfterMs ? { state: 'stale', ageMs } : { state: 'live' }
})

/** True where what is shown may be old: the server is away, hangs, or waits for its database. */
export const isStale = computed(() => {
  const { value } = connection
  return (
    value.state === 'stale' ||
    serverWaits.value !== null ||
    (value.state === 'reconnecting' && (value.ageMs ?? 0) > 1_500)
  )
})

const nothing: Wishes = { pipelines: false, symbols: null, find: '', series: [] }
const wants = signal<Wishes>(nothing)
const seriesListeners = new Set<(message: SeriesMessage) => void>()
let socket: WebSocket | null = null

/** Says what the page shows; what it showed before, and what is left out, is no longer pushed. */
export function watch(wishes: Partial<Wishes>): void {
  const wanted = { ...nothing, ...wishes }
  if (JSON.stringify(wants.peek()) !== JSON.stringify(wanted)) wants.value = wanted
}

export function onSeries(listener: (message: SeriesMessage) => void): () => void {
  seriesListeners.add(listener)
  return () => seriesListeners.delete(listener)
}

effect(() => {
  const wanted = wants.value
  if (isOpen.value) socket?.send(JSON.stringify({ kind: 'watch', ...wanted }))
})

export function connect(): void {
  nextTryAt.value = null
  const address = new URL('./api/live', location.href)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  address.hash = ''
  const opened = new WebSocket(address)
  socket = opened
  opened.addEventListener('open', () => {
    batch(() => {
      isOpen.value = true
      attempt.value = 0
      isTokenWanted.value = false
    })
  })
  opened.addEventListener('message', ({ data }) => take(JSON.parse(String(data)) as ServerMessage))
  opened.addEventListener('close', () => {
    if (socket === opened) void tryAgain()
  })
}

/** A token that the server asks for is the one thing that waiting does not mend. */
async function tryAgain(): Promise<void> {
  const tries = attempt.peek() + 1
  const waitMs = Math.min(longestWaitMs, 500 * 2 ** (tries - 1)) * (0.8 + Math.random() * 0.4)
  batch(() => {
    isOpen.value = false
    attempt.value = tries
    nextTryAt.value = performance.now() + waitMs
  })
  const isRefused = await fetch('./api/overview', { credentials: 'same-origin' }).then(
    ({ status }) => status === 401,
    () => false,
  )
  if (isRefused) isTokenWanted.value = true
  else setTimeout(connect, waitMs)
}

function take(message: ServerMessage): void {
  batch(() => {
    heardAt.value = performance.now()
    switch (message.kind) {
      case 'hello':
        version.value = message.version
        clockAhead.value = message.now - performance.now()
        break
      case 'tick':
        clockAhead.value = message.now - performance.now()
        dataSets.value = message.dataSets
        serverWaits.value = message.waitingFor
        break
      case 'pipelines':
        pipelines.value = message.pipelines
        break
      case 'symbols':
        symbols.value = message
        break
      case 'series':
        for (const listener of seriesListeners) listener(message)
        break
      case 'refused':
        refused.value = message.why
        break
    }
  })
}
