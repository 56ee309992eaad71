import { Subject } from 'rxjs'
import { Random } from '../../../src/testing/random.ts'
import { asOfLaw, intervalLaw } from './joinLaws.ts'
import { countLaw, inOrderLaw, keyedLaw, sequenceLaw } from './keyLaws.ts'
import type { Law, LawCase, LawEvent, LawValue, Row, Told } from './law.ts'
import { LawTask } from './lawTask.ts'
import { sessionLaw, sessionTopLaw } from './sessionLaw.ts'
import { tableLaw } from './tableLaw.ts'
import { hoppingLaw, topLaw, tumblingLaw } from './windowLaws.ts'

const laws: readonly Law[] = [
  hoppingLaw,
  tumblingLaw,
  topLaw,
  sessionLaw,
  sessionTopLaw,
  countLaw,
  intervalLaw,
  asOfLaw,
  sequenceLaw,
  keyedLaw,
  inOrderLaw,
  tableLaw,
]

/** What came of one seed. */
export interface LawReport {
  readonly operator: string
  /** Empty where the operator does what its definition says, cut, crashed, in plain RxJS, and in another order. */
  readonly differences: readonly string[]
  readonly events: number
  readonly late: number
  readonly crashes: number
}

/** Runs the operator that the seed has drawn over random values, and holds it against its definition. */
export function runLaw(seed: number): LawReport {
  const random = new Random(`law ${seed}`)
  const law = random.pick(laws)
  const drawn = law.draw(random.fork('options'))
  const events = drawEvents(random.fork('events'))
  const truth = drawn.define(events, true)
  let crashes = 0
  const check = (): string[] => {
    const whole = runWhole(drawn, events)
    const cut = runCut(drawn, events, random.fork('cuts'))
    crashes = cut.crashes
    return [
      ...whole.unlawful,
      ...told('definition', truth, 'task', whole),
      ...same('task', whole, 'cut and crashed', cut),
      ...same('task', whole, 'plain RxJS', runPlain(drawn, events)),
      ...permuted(drawn, events, truth, random.fork('order')),
    ]
  }
  const differences = tried(check)
  return {
    operator: law.operator,
    differences: differences.length === 0 ? [] : [`  ${law.operator} ${drawn.text}`, textOf(events), ...differences],
    events: events.length,
    late: truth.late.length,
    crashes,
  }
}

function drawEvents(random: Random): LawEvent[] {
  const keys = ['a', 'b', 'c'].slice(0, random.int(1, 3))
  const length = random.int(1, 40)
  const spread = random.int(1, 20)
  const events: LawEvent[] = []
  let watermark = random.int(-30, 10)
  for (let i = 0; i < length; i++) {
    if (random.chance(0.25)) {
      watermark += random.pick([1, random.int(1, 6), random.int(1, 40)])
      events.push({ watermark })
    } else {
      const side = random.pick(['left', 'right'] as const)
      const at = watermark + random.int(-Math.min(spread, 6), spread)
      events.push({ side, key: random.pick(keys), at, n: random.int(0, 20) })
    }
  }
  return events
}

interface Ran {
  readonly rows: readonly Row[]
  readonly late: readonly string[]
}

/** Without a break; after each event what is kept is counted, and the times of the results are looked at. */
function runWhole(
  { chain, define, isInTime }: LawCase,
  events: readonly LawEvent[],
): Ran & { readonly unlawful: string[] } {
  const task = new LawTask(chain)
  const unlawful: string[] = []
  events.forEach((event, i) => {
    const before = task.rows.length
    task.push(event)
    if (isInTime) unlawful.push(...untimely(task.rows.slice(before)))
    if (!('watermark' in event)) return
    const { kept } = define(events.slice(0, i + 1), false)
    if (task.kept !== kept)
      unlawful.push(`! after ${JSON.stringify(event)} (event ${i}) ${task.kept} keys are kept, should be ${kept}`)
  })
  task.close()
  return { rows: task.rows, late: task.late, unlawful }
}

function untimely(rows: readonly Row[]): string[] {
  const times = rows.map((row) => row.at(-2) as number)
  const isLate = rows.some((row, i) => row.at(-1) !== null && (times[i] as number) <= (row.at(-1) as number))
  return [
    ...(isLate ? [`! a result at or below the watermark: ${JSON.stringify(rows)}`] : []),
    ...(times.some((time, i) => i > 0 && time < (times[i - 1] as number))
      ? [`! results of one move that do not come by time: ${JSON.stringify(rows)}`]
      : []),
  ]
}

function runCut({ chain }: LawCase, events: readonly LawEvent[], random: Random): Ran & { readonly crashes: number } {
  const task = new LawTask(chain)
  let crashes = 0
  for (let i = 0; i < events.length; i++) {
    task.push(events[i] as LawEvent)
    if (random.chance(0.3)) task.cut()
    if (crashes < 8 && random.chance(0.2)) {
      crashes += 1
      i = task.crash() - 1
    }
  }
  task.close()
  return { rows: task.rows, late: task.late, crashes }
}

function runPlain({ chain }: LawCase, events: readonly LawEvent[]): Ran {
  const rows: Row[] = []
  const subject = new Subject<LawEvent>()
  subject.pipe(chain).subscribe((row) => rows.push(row))
  for (const event of events) subject.next(event)
  subject.complete()
  return { rows, late: [] }
}

/** The values between two moves of time in another order, unless two of them are of one time. */
function permuted(drawn: LawCase, events: readonly LawEvent[], truth: Told, random: Random): string[] {
  const { isOrderFree, settled } = drawn
  if (!isOrderFree && settled === undefined) return []
  const shuffled: LawEvent[] = []
  let stretch: LawValue[] = []
  const flush = () => {
    if (new Set(stretch.map(({ at }) => at)).size !== stretch.length) return false
    shuffled.push(...random.shuffle(stretch))
    stretch = []
    return true
  }
  for (const event of events) {
    if ('watermark' in event) {
      if (!flush()) return []
      shuffled.push(event)
    } else stretch.push(event)
  }
  if (!flush()) return []
  const task = new LawTask(drawn.chain)
  for (const event of shuffled) task.push(event)
  task.close()
  if (isOrderFree || settled === undefined) return told('definition', truth, 'another order', task)
  const length = truth.rows[0]?.length
  const rows = settled(task.rows.map((row) => row.slice(0, length)))
  return told('table of the definition', { ...truth, rows: settled(truth.rows) }, 'in another order', { ...task, rows })
}

/** As bags: a definition gives no order. */
function told(left: string, truth: Told, right: string, ran: Ran): string[] {
  const length = truth.rows[0]?.length ?? 0
  const rows = ran.rows.map((row) => row.slice(0, length === 0 ? undefined : length))
  return [
    ...bagDifference(`${left} against ${right}`, truth.rows.map(textOf), rows.map(textOf)),
    ...bagDifference(`${left} against ${right}, late`, truth.late, ran.late),
  ]
}

function same(left: string, first: Ran, right: string, second: Ran): string[] {
  const [one, other] = [first.rows.map(textOf), second.rows.map(textOf)]
  const at = one.findIndex((row, i) => row !== other[i])
  if (at < 0 && one.length === other.length) return []
  const place = at < 0 ? one.length : at
  return [`- ${left}, row ${place}: ${one[place]}`, `+ ${right}, row ${place}: ${other[place]}`]
}

function bagDifference(what: string, left: readonly string[], right: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const line of left) counts.set(line, (counts.get(line) ?? 0) + 1)
  for (const line of right) counts.set(line, (counts.get(line) ?? 0) - 1)
  return [...counts].flatMap(([line, times]) => (times === 0 ? [] : [`${times > 0 ? '-' : '+'} ${what}: ${line}`]))
}

function tried(check: () => string[]): string[] {
  try {
    return check()
  } catch (error) {
    return [`! ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`]
  }
}

function textOf(value: unknown): string {
  return JSON.stringify(value)
}
