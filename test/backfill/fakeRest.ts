import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A candle as REST writes it. */
export type KlineRow = readonly (number | string)[]

export interface FakeRestOptions {
  /** By symbol. */
  readonly klines?: Readonly<Record<string, readonly KlineRow[]>>
  /** ms UTC at the exchange. */
  readonly now: number
  /** Used weight that each answer tells, by the number of the request, from 1 on. */
  readonly usedWeight?: (request: number) => number
  /** What a request is answered instead, by its number; null for what it asked for. */
  readonly fault?: (request: number, path: string) => FakeFault | null
  /** Files by path, for archives. */
  readonly files?: Readonly<Record<string, Buffer>>
  /** Other answers, by path without query. */
  readonly answers?: Readonly<Record<string, (query: URLSearchParams) => unknown>>
}

export interface FakeFault {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Cuts the connection instead of an answer. */
  readonly cut?: boolean
}

export interface FakeRest {
  readonly url: string
  /** Path and query of each request so far. */
  readonly requests: readonly string[]
  close(): Promise<void>
}

/** As much of the exchange's REST interface as a backfill asks. */
export async function fakeRest(options: FakeRestOptions): Promise<FakeRest> {
  const { klines = {}, now, usedWeight = () => 2, fault = () => null, files = {}, answers = {} } = options
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    const url = new URL(request.url ?? '', 'http://exchange')
    const wrong = fault(requests.length, url.pathname)
    if (wrong?.cut === true) {
      request.socket.destroy()
      return
    }
    const headers = {
      date: new Date(now).toUTCString(),
      'x-mbx-used-weight-1m': String(usedWeight(requests.length)),
      ...wrong?.headers,
    }
    if (wrong !== null) {
      response.writeHead(wrong.status, headers).end(wrong.body ?? '')
      return
    }
    const file = files[url.pathname]
    if (file !== undefined) {
      response.writeHead(200, headers).end(file)
      return
    }
    const name = url.pathname.replace(/^\/f?api\/v\d\//, '')
    const answer = answers[name]?.(url.searchParams) ?? standard(name, url.searchParams, klines, now)
    if (answer === undefined) response.writeHead(404, headers).end('no such path')
    else response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

function standard(
  name: string,
  query: URLSearchParams,
  klines: Readonly<Record<string, readonly KlineRow[]>>,
  now: number,
): unknown {
  if (name === 'time') return { serverTime: now }
  if (name === 'exchangeInfo') {
    return {
      rateLimits: [{ rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 1_200 }],
      symbols: Object.keys(klines).map((symbol) => ({ symbol, status: 'TRADING' })),
    }
  }
  if (name !== 'klines') return undefined
  const from = Number(query.get('startTime'))
  const to = Number(query.get('endTime'))
  return (klines[query.get('symbol') ?? ''] ?? [])
    .filter(([openTime = 0]) => Number(openTime) >= from && Number(openTime) <= to)
    .slice(0, Number(query.get('limit')))
}

/** One-minute candles from `from` on, all different. */
export function minuteRows(from: number, count: number): readonly KlineRow[] {
  return Array.from({ length: count }, (_, index) => {
    const open = from + index * 60_000
    const price = (100 + index).toFixed(8)
    return [
      open,
      price,
      price,
      price,
      price,
      '2.50000000',
      open + 59_999,
      '250.00000000',
      7,
      '1.00000000',
      '100.00000000',
      '0',
    ]
  })
}
