import { lineScreen, type Screen, type Terminal, tableScreen } from '../console/screen.ts'
import type { Caution, Panel } from '../console/snapshot.ts'
import { outletsBrief, outletTable } from '../console/workTables.ts'
import { systemClock } from '../runtime/clock.ts'
import { shownText } from '../runtime/shownText.ts'
import type { RunStatus } from './runStatus.ts'

/** What a pipeline has to show of its own, in place of the rows and messages of its outlets. */
export interface LivePanel {
  /** True while it waits for something that people wait for: it is asked to look more often. */
  readonly isEager: boolean
  /** Looks what is there before the run does anything; never rejects. One that takes long is not waited for. */
  begin(): Promise<void>
  /** Looks for what it shows; never rejects. One that takes long is not waited for. */
  look(hasCommitted: boolean): Promise<void>
  show(): Panel
}

export interface LiveConsoleOptions {
  readonly title: string
  readonly caution: Caution | null
  readonly terminal: Terminal
  readonly isTable: boolean
  /** How the run is doing now. */
  readonly status: () => RunStatus
  readonly panel: LivePanel | null
  readonly now: () => number
}

const refreshMs = 1_000
const eagerMs = 100
/** Longest wait of one refresh for the panel. */
const mostLookMs = 500
const linesEveryMs = 5_000

/** Shows a run once a second. It reads; nothing waits for it. */
export class LiveConsole {
  readonly #options: LiveConsoleOptions
  readonly #screen: Screen
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> | null = null
  #hasEnded = false
  #shownAt = Number.NEGATIVE_INFINITY
  #refreshing: Promise<void> = Promise.resolve()

  constructor(options: LiveConsoleOptions) {
    this.#options = options
    this.#screen = options.isTable ? tableScreen(options.terminal) : lineScreen(options.terminal, linesEveryMs)
  }

  async start(): Promise<void> {
    const { panel } = this.#options
    if (panel !== null) await briefly(panel.begin())
    this.#plan(0)
  }

  say(line: string): void {
    this.#screen.say(shownText(line))
  }

  /** Shows the last state and lets go of the terminal. */
  async end(): Promise<void> {
    if (this.#hasEnded) return
    this.#hasEnded = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#refreshing
    const status = this.#options.status()
    await this.#look(status)
    this.#show(status)
    this.#screen.end()
  }

  #plan(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#refreshing = this.#refresh()
    }, ms)
  }

  async #refresh(): Promise<void> {
    const { status, panel, now } = this.#options
    await this.#look(status())
    if (this.#hasEnded) return
    if (now() - this.#shownAt >= refreshMs - 10) this.#show(status())
    this.#plan(panel?.isEager === true ? eagerMs : refreshMs)
  }

  /** A database that hangs must not freeze the screen that says so: the look goes on, and the next refresh waits for the same one. */
  async #look({ tasks }: RunStatus): Promise<void> {
    const { panel } = this.#options
    if (panel === null) return
    this.#looking ??= panel.look(tasks.some((task) => task.commits > 0)).finally(() => {
      this.#looking = null
    })
    await briefly(this.#looking)
  }

  #show(status: RunStatus): void {
    const { title, caution, panel, now } = this.#options
    this.#shownAt = now()
    this.#screen.show({ ...status, title, caution, panel: panel?.show() ?? outletPanel(status) }, this.#shownAt)
  }
}

async function briefly(looking: Promise<void>): Promise<void> {
  const waited = new AbortController()
  await Promise.race([looking, systemClock.sleep(mostLookMs, waited.signal)])
  waited.abort()
}

/** Rows and messages by outlet. */
export function outletPanel({ outlets }: Pick<RunStatus, 'outlets'>): Panel {
  return { table: outletTable(outlets), brief: outletsBrief(outlets) }
}
