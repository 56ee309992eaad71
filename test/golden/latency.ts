import { aggregateWindow, type StateCodec } from '../../src/index.ts'

/** One request, as a service measured it. */
export interface Latency {
  readonly route: string
  readonly caller: string
  readonly at: number
  readonly micros: bigint
}

/** What plain state cannot hold: a class with a Map and a Set in it. */
class Latencies {
  readonly byMicros = new Map<bigint, number>()
  readonly callers = new Set<string>()
}

const saved: StateCodec<Latencies> = {
  encode: ({ byMicros, callers }) => ({
    m: [...byMicros].map(([micros, count]) => `${micros}x${count}`).join(' '),
    c: [...callers],
  }),
  decode(state) {
    const { m, c } = state as { readonly m: string; readonly c: readonly string[] }
    const latencies = new Latencies()
    for (const caller of c) latencies.callers.add(caller)
    for (const text of m.split(' ')) {
      const [micros = '0', count = '0'] = text.split('x')
      latencies.byMicros.set(BigInt(micros), Number(count))
    }
    return latencies
  },
}

/** Median and sum of the latencies of a window, with the callers in order of their first request; the accumulator has a codec of its own. */
export function latency(name: string) {
  return aggregateWindow({
    name,
    initial: () => new Latencies(),
    add(latencies, { micros, caller }: Latency) {
      latencies.callers.add(caller)
      latencies.byMicros.set(micros, (latencies.byMicros.get(micros) ?? 0) + 1)
      return latencies
    },
    result({ byMicros, callers }, { key, start }, { revision }) {
      const all = [...byMicros].flatMap(([micros, count]) => Array.from({ length: count }, () => micros))
      const sorted = all.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      return {
        route: key,
        start,
        revision,
        median: sorted[Math.floor(sorted.length / 2)] ?? null,
        micros: all.reduce((sum, micros) => sum + micros, 0n),
        callers: [...callers].join(),
      }
    },
    state: saved,
  })
}
