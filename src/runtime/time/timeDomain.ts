import type { Meeting } from '../operator/operator.ts'

/** Something that acts when the watermark has come to a time. */
export interface TimedNode {
  /** The earliest watermark at which it has something to do; infinite for never. */
  readonly nextDue: number
  /** Where it stands in the graph: what is above it has a smaller number. */
  readonly order: number
  /** Its index among the nodes of its domain, which the domain keeps. */
  turn: number
  onTime(watermark: number): void
  /** The watermark at which nothing of it is open any more; undefined when nothing is. */
  openUntil(): number | undefined
  /** Nothing is open above any more, and no further value will come: what waits for values alone is open from now on. False where nothing of it ever does. */
  onClose(): boolean
}

const nobodysTurn = Number.POSITIVE_INFINITY

/**
 * The event time that the operators of one graph share. It is moved by one `eventTime`, from data only.
 *
 * A move tells the nodes in the order of the graph, those that have something due; until it is a node's turn, the time before still holds for it, because
 * what the nodes above emit meanwhile belongs there. A move that is asked for during another one follows it.
 */
export class TimeDomain {
  /** No record at or before this time is expected, ms UTC; minus infinity before the first. Never goes back. */
  watermark = Number.NEGATIVE_INFINITY
  /** Of those that move it and those that go by it. */
  readonly meeting: Meeting = { stage: undefined }
  /** Event time of the value that is being passed on, ms UTC; NaN where there is none. */
  valueTime = Number.NaN
  #nextDue = Number.POSITIVE_INFINITY
  #before = Number.NEGATIVE_INFINITY
  #wanted = Number.NEGATIVE_INFINITY
  #turn = nobodysTurn
  readonly #nodes: TimedNode[] = []

  /** Takes a node in at its place in the graph. */
  add(node: TimedNode): void {
    let at = this.#nodes.length
    while (at > 0 && (this.#nodes[at - 1] as TimedNode).order > node.order) at--
    this.#nodes.splice(at, 0, node)
    if (at <= this.#turn && this.#turn !== nobodysTurn) this.#turn += 1
    this.#number()
  }

  /** Nodes have got other places in the graph. */
  sort(): void {
    this.#nodes.sort((a, b) => a.order - b.order)
    this.#number()
  }

  remove(node: TimedNode): void {
    const at = this.#nodes.indexOf(node)
    if (at < 0) return
    this.#nodes.splice(at, 1)
    if (at <= this.#turn && this.#turn !== nobodysTurn) this.#turn -= 1
    this.#number()
  }

  /** The watermark that holds for the node. */
  toldTo(node: TimedNode): number {
    return node.turn > this.#turn ? this.#before : this.watermark
  }

  /** The watermark before the move under way, or the present one. */
  get before(): number {
    return this.#turn === nobodysTurn ? this.watermark : this.#before
  }

  /** Where the node stands whose turn it is; that of the first one while it is nobody's, which is the one that moves time. Minus infinity where there is none. */
  get orderNow(): number {
    return this.#nodes[this.#turn === nobodysTurn ? 0 : this.#turn]?.order ?? Number.NEGATIVE_INFINITY
  }

  /** The earliest watermark at which a node has something to do; infinite for never. */
  get nextDue(): number {
    return this.#nextDue
  }

  /** A node has got something to do at this time. */
  expect(time: number): void {
    if (time < this.#nextDue) this.#nextDue = time
  }

  advance(watermark: number): void {
    if (watermark <= this.watermark) return
    if (this.#turn !== nobodysTurn) this.#wanted = Math.max(this.#wanted, watermark)
    else if (watermark < this.#nextDue) this.watermark = watermark
    else this.#move(watermark)
  }

  /**
   * Moves time, by `move`, until nothing is open. What fires may open something further below, which a graph can do as often as it has nodes; a timer
   * that sets itself again for ever is left after that. Then each node, from above, is told that no further value will come.
   */
  close(move: (watermark: number) => void): void {
    this.#moveWhileOpen(move)
    const told = new Set<TimedNode>()
    // Outside of a task a node comes in with its first value, which may be a rest that a node above has let go just now.
    const nextOne = () => this.#nodes.find((node) => !told.has(node))
    for (let node = nextOne(); node !== undefined; node = nextOne()) {
      told.add(node)
      if (node.onClose()) this.#moveWhileOpen(move)
    }
  }

  #moveWhileOpen(move: (watermark: number) => void): void {
    for (let round = 0; round <= this.#nodes.length; round++) {
      const open = this.#nodes.map((node) => node.openUntil()).filter((until) => until !== undefined)
      if (open.length === 0) return
      // A timer that was set for a time that is past waits for the next move, whatever its length.
      move(Math.max(...open, this.watermark + 1))
    }
  }

  #move(first: number): void {
    const valueTime = this.valueTime
    let watermark = first
    while (watermark > this.watermark) {
      this.#before = this.watermark
      this.watermark = watermark
      for (this.#turn = 0; this.#turn < this.#nodes.length; this.#turn += 1) {
        const node = this.#nodes[this.#turn] as TimedNode
        if (node.nextDue <= watermark) node.onTime(watermark)
      }
      this.#turn = nobodysTurn
      this.#findNextDue()
      watermark = this.#wanted
      this.#wanted = Number.NEGATIVE_INFINITY
    }
    this.valueTime = valueTime
  }

  #findNextDue(): void {
    this.#nextDue = Number.POSITIVE_INFINITY
    for (const node of this.#nodes) if (node.nextDue < this.#nextDue) this.#nextDue = node.nextDue
  }

  #number(): void {
    for (let i = 0; i < this.#nodes.length; i++) (this.#nodes[i] as TimedNode).turn = i
  }
}
