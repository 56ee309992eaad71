import { ConnectionKeeper, type KeeperOptions } from './connectionKeeper.ts'

type Common = Pick<
  KeeperOptions,
  'urls' | 'talk' | 'clock' | 'limits' | 'address' | 'isSimulated' | 'onMisfit' | 'jitter' | 'onFrame' | 'onNotice'
>

export interface ConnectionGroupOptions extends Common {
  /** The exchange's limit unless told: more go over several connections. */
  readonly streamsPerConnection: number
  /** The streams of one, as many for each: they share a connection. */
  readonly streamsOf: (one: string) => readonly string[]
  /** Frames of these may be missing between those before and those after this call. */
  readonly onGapPossible: (some: readonly string[]) => void
}

interface Lane {
  readonly keeper: ConnectionKeeper
  members: readonly string[]
}

/**
 * Shares many streams over as few connections as the exchange's limit allows, and changes which they are while the connections stand.
 *
 * Keeps a connection for each full or begun lot of streams; one without any is closed.
 */
export class ConnectionGroup {
  readonly #options: ConnectionGroupOptions
  readonly #perConnection: number
  #lanes: readonly Lane[] = []
  readonly #laneOf = new Map<string, Lane>()
  readonly #closing = new Set<Promise<void>>()
  #isStarted = false
  #isPaused = false
  #reconnectsBefore = 0

  constructor(options: ConnectionGroupOptions, members: readonly string[]) {
    this.#options = options
    this.#perConnection = Math.max(1, Math.floor(options.streamsPerConnection / options.streamsOf('').length))
    this.take(members)
  }

  get keepers(): readonly ConnectionKeeper[] {
    return this.#lanes.map(({ keeper }) => keeper)
  }

  get reconnects(): number {
    return this.#lanes.reduce((sum, { keeper }) => sum + keeper.reconnects, this.#reconnectsBefore)
  }

  keeperOf(one: string): ConnectionKeeper | undefined {
    return this.#laneOf.get(one)?.keeper
  }

  start(): void {
    this.#isStarted = true
    for (const { keeper } of this.#lanes) keeper.start()
  }

  /** Takes these instead of those before. `onGapPossible` follows for those that are new, once their streams are on. */
  take(members: readonly string[]): void {
    const wanted = new Set(members)
    const changed = new Map<Lane, string[]>()
    for (const lane of this.#lanes) {
      const gone = lane.members.filter((one) => !wanted.has(one))
      if (gone.length === 0) continue
      for (const one of gone) this.#laneOf.delete(one)
      lane.members = lane.members.filter((one) => wanted.has(one))
      changed.set(lane, [])
    }
    for (const one of wanted) {
      if (this.#laneOf.has(one)) continue
      const lane = this.#lanes.find(({ members: { length } }) => length < this.#perConnection) ?? this.#addLane()
      lane.members = [...lane.members, one]
      this.#laneOf.set(one, lane)
      const added = changed.get(lane) ?? []
      added.push(one)
      changed.set(lane, added)
    }
    for (const [lane, added] of changed) void this.#follow(lane, added)
    this.#closeEmpty()
    if (this.#isStarted) this.start()
  }

  pause(): void {
    this.#isPaused = true
    for (const { keeper } of this.#lanes) keeper.pause()
  }

  resume(): void {
    this.#isPaused = false
    for (const { keeper } of this.#lanes) keeper.resume()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lanes.map(({ keeper }) => keeper.close()), ...this.#closing])
  }

  #addLane(): Lane {
    const { streamsOf: _, onGapPossible, streamsPerConnection: __, ...common } = this.#options
    const lane: Lane = {
      members: [],
      keeper: new ConnectionKeeper({ ...common, streams: [], onGapPossible: () => onGapPossible(lane.members) }),
    }
    if (this.#isPaused) lane.keeper.pause()
    this.#lanes = [...this.#lanes, lane]
    return lane
  }

  async #follow({ keeper, members }: Lane, added: readonly string[]): Promise<void> {
    const isCarried = await keeper.follow(members.flatMap(this.#options.streamsOf))
    // A connection that comes later tells of all that it carries.
    if (isCarried && added.length > 0) this.#options.onGapPossible(added)
  }

  #closeEmpty(): void {
    for (const { keeper } of this.#lanes.filter(({ members }) => members.length === 0)) {
      this.#reconnectsBefore += keeper.reconnects
      const closing = keeper.close().finally(() => this.#closing.delete(closing))
      this.#closing.add(closing)
    }
    this.#lanes = this.#lanes.filter(({ members }) => members.length > 0)
  }
}
