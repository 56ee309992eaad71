import { renderLine } from './renderLine.ts'
import { type ColumnWidths, renderTable } from './renderTable.ts'
import type { ConsoleSnapshot } from './snapshot.ts'

/** Where frames and lines go. */
export interface Terminal {
  write(text: string): void
  readonly columns: number
  readonly rows: number
}

export interface Screen {
  show(snapshot: ConsoleSnapshot, now: number): void
  /** A line that stays, above the live table where there is one. */
  say(line: string): void
  /** Gives the cursor back; nothing is redrawn afterwards. */
  end(): void
}

const hideCursor = '\x1b[?25l'
export const showCursor = '\x1b[?25h'
const clearBelow = '\x1b[0J'
const clearLine = '\x1b[0K'

/** Redraws a table in place: the cursor goes back to its first line and every line is overwritten, so that nothing flickers. */
export function tableScreen(terminal: Terminal): Screen {
  let height = 0
  let last: readonly string[] = []
  let isEnded = false
  const widest: ColumnWidths = new Map()
  const back = () => (height === 0 ? '' : `\x1b[${height}F`)
  const draw = (lines: readonly string[]) => {
    const body = lines.map((line) => `${line}${clearLine}\n`).join('')
    terminal.write(`${height === 0 ? hideCursor : ''}${back()}${body}${clearBelow}`)
    height = lines.length
    last = lines
  }
  return {
    show: (snapshot) => {
      if (isEnded) return
      draw(renderTable(snapshot, Math.max(20, terminal.columns - 1), Math.max(12, terminal.rows - 1), widest))
    },
    say: (line) => {
      if (isEnded || height === 0) return terminal.write(`${line}\n`)
      terminal.write(`${back()}${clearBelow}${line}\n`)
      height = 0
      draw(last)
    },
    end: () => {
      if (isEnded) return
      isEnded = true
      if (height > 0) terminal.write(showCursor)
    },
  }
}

/** One line every `everyMs`, and at once when what is waited for changes. */
export function lineScreen(terminal: Terminal, everyMs: number): Screen {
  let lastAt = Number.NEGATIVE_INFINITY
  let lastWaitingFor: string | null = null
  return {
    show: (snapshot, now) => {
      // The number of seconds in the words changes all the time; only the subject before the comma counts as a change.
      const waitingFor = snapshot.waitingFor?.split(',')[0] ?? null
      if (now - lastAt < everyMs && waitingFor === lastWaitingFor) return
      lastAt = now
      lastWaitingFor = waitingFor
      terminal.write(`${renderLine(snapshot, now)}\n`)
    },
    say: (line) => terminal.write(`${line}\n`),
    end: () => {},
  }
}
