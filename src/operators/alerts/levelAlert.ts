import type { Json } from '../../runtime/json.ts'
import type { StateCodec } from '../../runtime/state/keyedState.ts'
import type { GapRule, MeasureRule } from './compiledRule.ts'
import {
  calm,
  loadStanding,
  type SavedStanding,
  type Standing,
  type Step,
  saveStanding,
  step,
  type Verdict,
} from './standing.ts'

const hourMs = 3_600_000

/** One rule over something that stays as it is until it is told otherwise: a gap, or a measure. */
export class LevelAlert {
  standing: Standing = calm
  verdict: Verdict = 'clear'
  /** What was looked at last, as text. */
  value = ''
  /** Of the last look, ms. */
  at = Number.MIN_SAFE_INTEGER
  /** Gaps that are open, by their id. */
  readonly open = new Set<string>()

  /** Looks again, at a time that does not go back; a time that would is taken for the last one. */
  look(rule: GapRule | MeasureRule, at: number, verdict: Verdict, value: string): Step {
    this.at = Math.max(this.at, at)
    this.verdict = verdict
    this.value = value
    const taken = step(this.standing, this.at, verdict, rule.patience)
    this.standing = taken.standing
    return taken
  }

  /** When time alone will change something, ms; null where it will not. */
  nextLook({ patience: { forMs, keepFiringForMs } }: GapRule | MeasureRule): number | null {
    const { isFiring, badSince, clearSince, muted, fired } = this.standing
    const times = [
      !isFiring && badSince !== null ? badSince + forMs : null,
      isFiring && clearSince !== null ? clearSince + keepFiringForMs : null,
      muted !== null && fired[0] !== undefined ? fired[0] + hourMs : null,
    ].filter((time) => time !== null && time > this.at)
    return times.length === 0 ? null : Math.min(...(times as number[]))
  }
}

type SavedLevel = readonly [
  standing: SavedStanding,
  verdict: Verdict,
  value: string,
  at: number,
  open: readonly string[],
]

export const levelAlertState: StateCodec<LevelAlert> = {
  encode: ({ standing, verdict, value, at, open }): Json => [saveStanding(standing), verdict, value, at, [...open]],
  decode: (saved) => {
    const [standing, verdict, value, at, open] = saved as unknown as SavedLevel
    const alert = new LevelAlert()
    alert.standing = loadStanding(standing)
    alert.verdict = verdict
    alert.value = value
    alert.at = at
    for (const id of open) alert.open.add(id)
    return alert
  },
}
