/** How far something with an end in sight is. */
export interface Progress {
  /** In the unit that is told. */
  readonly done: number
  /** The same unit. */
  readonly total: number
  readonly unit: 'bytes' | 'records'
  /** How long it will take, ms; null until that can be estimated. */
  readonly leftMs: number | null
}

/** How far a running pipeline is in one of its inputs, over all partitions that it works on. */
export interface InputFacts {
  /** As the pipeline names it. */
  readonly name: string
  readonly topic: string
  /** The next offsets of its partitions, added up. */
  readonly nextOffset: number
  /** How many records are in the log and not yet read, or not yet committed. */
  readonly lagRecords: number
  /** How far the watermark is behind the present, ms; null before the first event time, and for a table, which has none. */
  readonly lagMs: number | null
}

/** What an operator has done since the start of the run, and holds, over all partitions. */
export interface OperatorFacts {
  /** As the pipeline names it. */
  readonly name: string
  /** How many values came to it. */
  readonly valuesIn: number
  /** How many it has passed on. */
  readonly valuesOut: number
  /** How many keys its state holds. */
  readonly keyCount: number
  /** ms UTC of event time: the watermark at which nothing of it is open any more; null where nothing is. */
  readonly openUntil: number | null
  /** What its time waits for, in words, where it learns it from markers; of the task that is furthest back. Null elsewhere. */
  readonly heldBy: string | null
}

/** How an outlet is doing. */
export interface OutletFacts {
  /** As the pipeline calls it. */
  readonly outlet: string
  readonly kind: 'rows' | 'messages'
  /** The table, the topic or the destination. */
  readonly to: string
  /** Rows or messages that were committed, since the start of the process. */
  readonly count: number
  /** Rows or messages that were committed a second, over the last seconds. */
  readonly perS: number
  /** How many messages wait to be sent. */
  readonly waiting: number
  /** How many messages were refused and are set aside. */
  readonly refused: number
}

/** How a feed is doing that fills a topic. */
export interface FeedFacts {
  /** As it calls itself. */
  readonly name: string
  /** What it counts, since its start, by name: numbers of frames, gaps, reconnects and the like. */
  readonly counts: Readonly<Record<string, number>>
  /** What is wrong with it now. */
  readonly troubles: readonly {
    /** In words: what it is, and what it waits for. */
    readonly what: string
    /** ms UTC since when. */
    readonly since: number
  }[]
}

/** How a running pipeline is doing at one moment. */
export interface RunFacts {
  /** How many were committed since the start of this process. */
  readonly records: number
  /** Records committed a second, over the last seconds. */
  readonly recordsPerS: number
  /** How far the watermark is behind the time of the newest data or the wall clock, ms; null before the first event time. */
  readonly watermarkLagMs: number | null
  /** How long ago the last checkpoint was committed, ms; null before the first. */
  readonly checkpointAgeMs: number | null
  /** How many were set aside since the start of this process. */
  readonly deadLetters: number
  /** How many records are in the log and not yet committed; null while unknown. */
  readonly logLag: number | null
  /** Of what is fed from a source that has an end; null where there is none. */
  readonly progress: Progress | null
  /** In words, or null while nothing is in the way. */
  readonly waitingFor: string | null
  /** The leading one first; none before a task has begun. */
  readonly inputs: readonly InputFacts[]
  /** Each below what it reads; none before a task has begun. */
  readonly operators: readonly OperatorFacts[]
  /** The feeds in this process that say how they are; left out where there are none. */
  readonly feeds?: readonly FeedFacts[]
}

/** Rows of text under headings, which gives way where there is no room for all of it. */
export interface LiveTable {
  readonly headings: readonly string[]
  /** One text a heading. */
  readonly rows: readonly (readonly string[])[]
  /** Headings that a narrow terminal does without, in this order. */
  readonly droppable: readonly string[]
  /** What a mark in it means, below it; null where there is none. */
  readonly note: string | null
  /** What a row is, for a count of those that are left out: `symbols`. */
  readonly rowsAre: string
  /** Stands in place of the table while it has no row. */
  readonly ifEmpty: string
}

/** What a pipeline has to show of its own. */
export interface Panel {
  readonly table: LiveTable
  /** The same in a few words, for where there is no terminal; null for nothing. */
  readonly brief: string | null
}

/** What must not be overlooked: said in every frame, and with one word on every line. */
export interface Caution {
  readonly text: string
  readonly word: string
}

/** What the console shows of a running pipeline at one moment. */
export interface ConsoleSnapshot extends RunFacts {
  readonly title: string
  readonly caution: Caution | null
  readonly panel: Panel
}
