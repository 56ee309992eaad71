import { showCursor, type Terminal } from '../console/screen.ts'
import type { Caution } from '../console/snapshot.ts'
import { LiveConsole, type LivePanel } from '../host/liveConsole.ts'
import type { RunJob, RunPlaces } from '../host/openRun.ts'
import type { RunEnd } from '../host/pipelineRun.ts'
import type { BegunRun, RunView } from '../host/runSession.ts'
import { Shutdown } from '../host/shutdown.ts'
import { keepRows } from '../retention/keepRows.ts'
import { systemClock } from '../runtime/clock.ts'
import { shownText } from '../runtime/shownText.ts'
import type { CommandContext } from './commandContext.ts'
import { pasteable } from './commandFor.ts'
import { version } from './version.ts'

/** What is particular about how one command shows its run. */
export interface RunTexts {
  /** What the pipeline and its source are called. */
  readonly title: string
  readonly caution: Caution | null
  /** Lines before anything is open. */
  banner(job: RunJob, places: RunPlaces): readonly string[]
  /** A line on what comes next. */
  readonly waitingFor: string
  /** What is shown in place of rows and messages by outlet, and is closed with the view. */
  panel?(run: BegunRun, say: (line: string) => void): { readonly panel: LivePanel; close(): Promise<void> }
  /** What comes with the run, with a line on it; it is closed with the view. */
  companion?(run: BegunRun): Promise<{ readonly line: string; close(): Promise<void> }>
  /** Lines after the end. */
  summary(end: RunEnd): readonly string[]
}

/** Shows a run on the terminal: a live table, or a line now and then where there is none. */
export class TerminalView implements RunView {
  readonly #context: CommandContext
  #texts: RunTexts | null = null
  #screen: LiveConsole | null = null
  #closePanel: () => Promise<void> = async () => {}
  #closeCompanion: () => Promise<void> = async () => {}
  #stopDeleting: () => Promise<void> = async () => {}

  constructor(context: CommandContext) {
    this.#context = context
  }

  /** Told before the run starts. */
  use(texts: RunTexts): void {
    this.#texts = texts
  }

  say(line: string): void {
    if (this.#screen === null) this.#print(line)
    else this.#screen.say(pasteable(line, this.#context))
  }

  progress(line: string): void {
    this.#context.output.err(line)
  }

  starting(job: RunJob, places: RunPlaces): void {
    for (const line of this.#known().banner(job, places)) this.#print(line)
  }

  async begin(run: BegunRun): Promise<void> {
    const { settings, isTerminal, env } = this.#context
    const { title, caution, waitingFor, panel, companion } = this.#known()
    const beside = await companion?.(run)
    if (beside !== undefined) {
      this.#closeCompanion = () => beside.close()
      this.#print(beside.line)
    }
    if (settings.keep !== undefined) {
      const deleting = keepRows(run, settings.keep, (line) => this.say(line))
      this.#stopDeleting = () => deleting.stop()
    }
    const opened = panel?.(run, (line) => this.say(line))
    if (opened !== undefined) this.#closePanel = () => opened.close()
    this.#print(waitingFor)
    this.#screen = new LiveConsole({
      title: `millrace ${version()} · ${title} · Ctrl-C stops`,
      caution,
      terminal: terminalOf(this.#context),
      isTable: settings.tty ?? (isTerminal && (env.CI ?? '') === ''),
      status: run.status,
      panel: opened?.panel ?? null,
      now: () => systemClock.now(),
    })
    await this.#screen.start()
  }

  stopping(why: string): void {
    this.say(`${why}: stopping cleanly; what is read is committed first. Once more ends at once.`)
  }

  async ended(end: RunEnd): Promise<void> {
    await this.#screen?.end()
    for (const line of this.#known().summary(end)) this.#print(line)
  }

  async close(): Promise<void> {
    await this.#screen?.end()
    await this.#closePanel()
    await this.#closeCompanion()
    await this.#stopDeleting()
  }

  #known(): RunTexts {
    if (this.#texts === null) throw new Error('bug: a view without texts')
    return this.#texts
  }

  #print(line: string): void {
    void this.#context.output.out(`${shownText(pasteable(line, this.#context))}\n`)
  }
}

/** Why a command stops whose output goes to a pipe that was closed. */
export const noReader = 'nobody reads the output any more'

/** The signals of the process, for one command; a second one ends it at once. So does it stop when nobody reads what it prints. */
export function shutdownOf({ isTerminal, output }: CommandContext): Shutdown {
  const shutdown = new Shutdown(() => {
    if (isTerminal) process.stdout.write(showCursor)
    output.err('Ended at once. Nothing is lost: the next start goes on from the last commit.')
  })
  output.onClosed(() => shutdown.begin(noReader))
  return shutdown
}

/** How wide a terminal is; a hundred where it does not know, which it says by zero, or is none. */
export function columnsOf({ columns }: { readonly columns?: number }): number {
  return columns || 100
}

function terminalOf({ output }: CommandContext): Terminal {
  return {
    write: (text: string) => void output.out(text),
    get columns() {
      return columnsOf(process.stdout)
    },
    get rows() {
      return process.stdout.rows || 30
    },
  }
}
