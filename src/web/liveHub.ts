import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { WebSocket } from 'ws'
import { commitMark, readRunReports } from '../queries/runReports.ts'
import type { Clock } from '../runtime/clock.ts'
import { ConfigurationError, MillraceError } from '../runtime/errors.ts'
import { asMillraceError } from '../sinks/postgres/errors.ts'
import type { DataSets } from './dataSets.ts'
import { LiveClient } from './liveClient.ts'
import { PipelineWatch } from './pipelineWatch.ts'
import { type ClientMessage, clientMessageSchema, type SeriesName, type ServerMessage } from './protocol.ts'
import { type SeriesNews, SeriesWatch } from './seriesWatch.ts'
import { SymbolWatch } from './symbolWatch.ts'

const pollMs = 50
const secondMs = 1_000
const dataSetsEveryMs = 5_000
/** Different series with different indicators that are pushed at once, over all clients. */
const mostWatched = 64
const mostMessageBytes = 16_384

interface Watched {
  readonly name: SeriesName
  readonly indicators: readonly string[]
  readonly watch: SeriesWatch
  /** Of the data set when it was last read. */
  mark: string | null
  lookedAt: number
}

interface Viewer {
  readonly client: LiveClient
  wants: ClientMessage
  /** Key of the watched series by the id that the client knows it by. */
  readonly series: Map<number, string>
  /** Key of the list of symbols that it looks at; null for none. */
  list: string | null
}

/** A client's wants before it has said any. */
const nothing: ClientMessage = { kind: 'watch', pipelines: false, symbols: null, find: '', series: [] }

/** Reads what clients watch, and nothing else, and pushes what is new. Reads nothing while nobody watches. */
export class LiveHub {
  readonly #dataSets: DataSets
  readonly #clock: Clock
  readonly #version: string
  readonly #viewers = new Map<WebSocket, Viewer>()
  readonly #watched = new Map<string, Watched>()
  readonly #pipelines: PipelineWatch
  readonly #marks = new Map<string, string>()
  readonly #lists = new Map<string, SymbolWatch>()
  readonly #ended = new AbortController()
  #waiting: { readonly what: string; readonly since: number } | null = null
  #dataSetsAt = Number.NEGATIVE_INFINITY
  #tickAt = Number.NEGATIVE_INFINITY
  #pipelinesAt = Number.NEGATIVE_INFINITY
  #looping: Promise<void> | null = null

  constructor(dataSets: DataSets, clock: Clock, version: string) {
    this.#dataSets = dataSets
    this.#clock = clock
    this.#version = version
    this.#pipelines = new PipelineWatch()
  }

  get clients(): number {
    return this.#viewers.size
  }

  /** The most that a client has not read yet, bytes. */
  get mostUnreadBytes(): number {
    return Math.max(0, ...[...this.#viewers.values()].map(({ client }) => client.unreadBytes))
  }

  add(socket: WebSocket): void {
    const viewer: Viewer = { client: new LiveClient(socket), wants: nothing, series: new Map(), list: null }
    this.#viewers.set(socket, viewer)
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#hear(viewer, data, isBinary))
    socket.on('error', () => socket.terminate())
    socket.on('close', () => {
      this.#viewers.delete(socket)
      this.#forgetUnwatched()
    })
    const now = this.#clock.now()
    this.#tell(viewer, 'hello', { kind: 'hello', version: this.#version, now })
    this.#tell(viewer, 'tick', this.#tick(now))
    this.#looping ??= this.#loop().finally(() => {
      this.#looping = null
    })
  }

  async close(): Promise<void> {
    this.#ended.abort()
    for (const { client } of this.#viewers.values()) client.close()
    await this.#looping
    for (const { client } of this.#viewers.values()) client.drop()
  }

  #hear(viewer: Viewer, data: Buffer, isBinary: boolean): void {
    const message = isBinary || data.byteLength > mostMessageBytes ? null : parsed(data)
    const now = this.#clock.now()
    if (message === null) {
      this.#tell(viewer, 'refused', {
        kind: 'refused',
        why: 'the console does not know what this page asks for: load it again',
      })
      return
    }
    const before = viewer.wants
    viewer.wants = message
    this.#watchList(viewer, now)
    const known = new Map(viewer.series)
    viewer.series.clear()
    for (const { id, indicators, ...name } of message.series) {
      try {
        const key = this.#watch(name, indicators)
        viewer.series.set(id, key)
        // One that others look at already is told at once; a new one once it is read.
        if (known.get(id) !== key) this.#tellWhole(viewer, key, now)
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error
        this.#tell(viewer, 'refused', { kind: 'refused', why: error.message })
      }
    }
    this.#forgetUnwatched()
    if (message.pipelines && !before.pipelines) this.#pipelinesAt = Number.NEGATIVE_INFINITY
  }

  /** A list that others look at already is told at once; a new one once it is read. */
  #watchList(viewer: Viewer, now: number): void {
    const { symbols, find } = viewer.wants
    const key = listKey(viewer.wants)
    if (symbols === null || key === viewer.list) {
      if (symbols === null) viewer.list = null
      return
    }
    viewer.list = key
    const list = this.#lists.get(key) ?? new SymbolWatch(symbols, find.trim())
    this.#lists.set(key, list)
    if (list.text !== null) viewer.client.send('symbols', list.text, now)
  }

  #watch(name: SeriesName, indicators: readonly string[]): string {
    const key = JSON.stringify([name.dataSet, name.market, name.symbol, name.interval, indicators])
    if (this.#watched.has(key)) return key
    if (this.#watched.size >= mostWatched) {
      throw new ConfigurationError(`the console pushes ${mostWatched} series at once, and as many are watched already`)
    }
    const watch = new SeriesWatch(name, indicators)
    this.#watched.set(key, { name, indicators, watch, mark: null, lookedAt: Number.NEGATIVE_INFINITY })
    return key
  }

  #forgetUnwatched(): void {
    const wanted = new Set([...this.#viewers.values()].flatMap(({ series }) => [...series.values()]))
    for (const key of this.#watched.keys()) if (!wanted.has(key)) this.#watched.delete(key)
    const listed = new Set([...this.#viewers.values()].map(({ list }) => list))
    for (const key of this.#lists.keys()) if (!listed.has(key)) this.#lists.delete(key)
  }

  async #loop(): Promise<void> {
    while (!this.#ended.signal.aborted && this.#viewers.size > 0) {
      const begun = this.#clock.now()
      await this.#round(begun)
      const left = pollMs - (this.#clock.now() - begun)
      await sleep(Math.max(1, left), undefined, { signal: this.#ended.signal }).catch(() => undefined)
    }
  }

  async #round(now: number): Promise<void> {
    try {
      const isComplete = this.#dataSets.known.every(({ hasCandles }) => hasCandles)
      if (now - this.#dataSetsAt >= (isComplete ? dataSetsEveryMs : secondMs) || this.#waiting !== null) {
        await this.#dataSets.look()
        this.#dataSetsAt = now
      }
      await this.#lookAtCommits()
      if (now - this.#pipelinesAt >= secondMs) {
        this.#pipelinesAt = now
        await this.#lookAtPipelines(now)
      }
      this.#waiting = null
    } catch (error) {
      const known = error instanceof MillraceError ? error : asMillraceError(error, 'read what the console shows')
      this.#waiting = { what: known.message, since: this.#waiting?.since ?? now }
      await sleep(secondMs / 2, undefined, { signal: this.#ended.signal }).catch(() => undefined)
    }
    if (now - this.#tickAt >= secondMs) {
      this.#tickAt = now
      const tick = JSON.stringify(this.#tick(now))
      for (const { client } of this.#viewers.values()) client.send('tick', tick, now)
    }
    for (const viewer of this.#viewers.values()) this.#makeGood(viewer, now)
  }

  /** The checkpoint rows of each data set that somebody watches say whether there is anything new. */
  async #lookAtCommits(): Promise<void> {
    const lists = [...this.#lists.values()].map(({ dataSet }) => dataSet)
    const schemas = new Set([...[...this.#watched.values()].map(({ name }) => name.dataSet), ...lists])
    for (const schema of schemas) {
      const pool = this.#dataSets.poolOf(schema)
      if (pool === null) continue
      const mark = await commitMark(pool)
      this.#marks.set(schema, mark)
      await this.#lookAtSeries(schema, pool, mark)
      await this.#lookAtLists(schema, pool, mark)
    }
  }

  async #lookAtSeries(schema: string, pool: pg.Pool, mark: string): Promise<void> {
    if (!this.#hasCandles(schema)) return
    for (const [key, watched] of this.#watched) {
      if (watched.name.dataSet !== schema) continue
      const now = this.#clock.now()
      // A correction of long ago is looked for once more after the last commit.
      if (watched.mark === mark && now - watched.lookedAt < 2 * secondMs) continue
      watched.mark = mark
      watched.lookedAt = now
      const news = await watched.watch.look(pool, now)
      if (news === null) continue
      const text = seriesText(news, this.#clock.now())
      for (const viewer of this.#viewers.values()) {
        for (const [id, wanted] of viewer.series) if (wanted === key) viewer.client.send(key, withId(id, text), now)
      }
    }
  }

  async #lookAtLists(schema: string, pool: pg.Pool, mark: string): Promise<void> {
    const hasCandles = this.#hasCandles(schema)
    for (const [key, list] of this.#lists) {
      if (list.dataSet !== schema) continue
      const now = this.#clock.now()
      const text = await list.look(hasCandles ? pool : null, mark, now)
      if (text === null) continue
      for (const viewer of this.#viewers.values()) if (viewer.list === key) viewer.client.send('symbols', text, now)
    }
  }

  #hasCandles(schema: string): boolean {
    return this.#dataSets.known.some((one) => one.schema === schema && one.hasCandles)
  }

  async #lookAtPipelines(now: number): Promise<void> {
    if (![...this.#viewers.values()].some(({ wants }) => wants.pipelines)) return
    for (const { schema } of this.#dataSets.known) {
      const pool = this.#dataSets.poolOf(schema)
      if (pool !== null) this.#pipelines.take(schema, await readRunReports(pool), now)
    }
    const text = JSON.stringify(this.#pipelinesMessage(now))
    for (const { client, wants } of this.#viewers.values()) if (wants.pipelines) client.send('pipelines', text, now)
  }

  #pipelinesMessage(now: number): ServerMessage {
    return { kind: 'pipelines', now, pipelines: this.#pipelines.views(now) }
  }

  #tick(now: number): ServerMessage {
    return { kind: 'tick', now, waitingFor: this.#waiting, dataSets: this.#dataSets.known }
  }

  /** Tells a client that reads again what it has missed. */
  #makeGood(viewer: Viewer, now: number): void {
    for (const subject of viewer.client.takeMissed(now)) {
      if (this.#watched.has(subject)) this.#tellWhole(viewer, subject, now)
      else if (subject === 'tick') this.#tell(viewer, subject, this.#tick(now))
      else if (subject === 'pipelines') this.#tell(viewer, subject, this.#pipelinesMessage(now))
      else if (subject === 'symbols') {
        const text = this.#lists.get(viewer.list ?? '')?.text
        if (text != null) viewer.client.send(subject, text, now)
      }
    }
  }

  #tellWhole(viewer: Viewer, key: string, now: number): void {
    const watched = this.#watched.get(key)
    if (watched === undefined || watched.mark === null) return
    const text = seriesText(watched.watch.whole(), now)
    for (const [id, wanted] of viewer.series) if (wanted === key) viewer.client.send(key, withId(id, text), now)
  }

  #tell(viewer: Viewer, subject: string, message: ServerMessage): void {
    viewer.client.send(subject, JSON.stringify(message), this.#clock.now())
  }
}

function parsed(data: Buffer): ClientMessage | null {
  try {
    const result = clientMessageSchema.safeParse(JSON.parse(data.toString('utf8')))
    return result.success ? result.data : null
  } catch {
    // No JSON: told to the client as what it is.
    return null
  }
}

/** All clients get the same text but for the id, so it is made once. */
function seriesText(news: SeriesNews, readAt: number): string {
  return JSON.stringify({ kind: 'series', ...news, readAt }).slice(1)
}

function withId(id: number, text: string): string {
  return `{"id":${id},${text}`
}

/** Of the list of symbols that a client wants. */
function listKey({ symbols, find }: ClientMessage): string {
  return JSON.stringify([symbols, find.trim()])
}
