import type { BackfillProgress } from '../../backfill/backfillKlines.ts'
import type { ExchangeApi } from '../../backfill/exchangeApi.ts'
import { countText, durationText } from '../../console/text.ts'

const lineEveryMs = 2_000

/** Tells how far a backfill is and how long it still takes, at most every two seconds. */
export class ProgressLine {
  readonly #say: (line: string) => void
  readonly #api: Pick<ExchangeApi, 'usedWeight' | 'weightPerMinute'>
  readonly #now: () => number
  readonly #startedAt: number
  #saidAt = Number.NEGATIVE_INFINITY

  /** @param now ms of a clock that nobody sets */
  constructor(
    say: (line: string) => void,
    api: Pick<ExchangeApi, 'usedWeight' | 'weightPerMinute'>,
    now: () => number = () => performance.now(),
  ) {
    this.#say = say
    this.#api = api
    this.#now = now
    this.#startedAt = now()
  }

  show({ series, done, total }: BackfillProgress): void {
    const now = this.#now()
    if (now - this.#saidAt < lineEveryMs) return
    this.#saidAt = now
    const share = total === 0 ? 1 : done / total
    const elapsedMs = now - this.#startedAt
    const left = share === 0 ? 'begins' : `${durationText((elapsedMs * (1 - share)) / share)} left`
    const { usedWeight, weightPerMinute } = this.#api
    const weight = Number.isFinite(weightPerMinute)
      ? ` · weight ${countText(usedWeight)} of ${countText(weightPerMinute)}`
      : ''
    this.#say(
      `${series.symbol} ${series.interval} · ${Math.floor(share * 100)} % of ${countText(total)} candles · ${left}${weight}`,
    )
  }
}
