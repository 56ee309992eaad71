import { ExchangeApi } from '../../src/backfill/exchangeApi.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { limitsOfAddress } from '../../src/sources/live/addressLimits.ts'
import { RestClient } from '../../src/sources/live/restClient.ts'

/** A clock that goes on by sleeps alone, and tells how long they were. */
export class SleepClock implements Clock {
  readonly waits: number[] = []
  #now = 1_000_000

  now(): number {
    return this.#now
  }

  async sleep(ms: number): Promise<void> {
    this.waits.push(ms)
    this.#now += ms
  }
}

interface ApiOptions {
  readonly clock?: Clock
  readonly signal?: AbortSignal
  readonly onNotice?: (line: string) => void
  readonly weightPerMinute?: number
}

/** History of the exchange at a URL; those of one clock share its limits. */
export function apiFor(restUrl: string, options: ApiOptions = {}): ExchangeApi {
  const { clock = new SleepClock(), weightPerMinute = 1_200 } = options
  const limits = limitsOfAddress(clock, restUrl, weightPerMinute)
  const client = new RestClient({ clock, timeoutMs: 5_000, limits, isSimulated: null })
  const { signal = new AbortController().signal, onNotice = () => {} } = options
  return new ExchangeApi({ restUrl, urlSetting: 'MILLRACE_BINANCE_REST_URL', client, clock, signal, onNotice })
}
