import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'
import { WebSocket } from 'ws'
import { exitOnSignal } from '../src/cli/exitOnSignal.ts'
import { runPipeline } from '../src/host/runPipeline.ts'
import { tradeCodec } from '../src/market/tradeCodec.ts'
import { realtime } from '../src/pipelines/realtime.ts'
import type { Feed } from '../src/runtime/log/feed.ts'
import type { ServerMessage } from '../src/web/protocol.ts'
import { browserPath } from '../test/support/browserPath.ts'
import { ownDatabase } from '../test/support/ownDatabase.ts'
import { Histogram } from './kafka/histogram.ts'

// PostgreSQL is ended when this process exits, and a signal alone would not have it exit so.
exitOnSignal()

const help = `npm run bench:console -- [--json] [--clients N] [--seconds N] [--rate N]

Time from the moment a trade is handed to the log to the moment a page has it: the realtime pipeline on the embedded log with its own settings, the console
as a process of its own, N clients that watch a 1m candle, and a browser where there is one (then also until its next frame). The price of a trade says when
it was made, so every trade counts, from when it was due.

  --clients N   connections that watch the candle  (50)
  --seconds N   measured, after a warm-up of 5 s   (30)
  --rate N      trades a second                    (100)
  --json        only the result, one line of JSON on stdout`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    clients: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '100' },
    help: { type: 'boolean', default: false },
  },
})

const topic = 'crypto.trades.raw'
const warmUpMs = 5_000
const tickMs = 10

/** When the trades of one page were seen: a candle with a price has all trades up to it. */
class Seen {
  readonly #from: number
  readonly #due: readonly number[]
  readonly latencies: number[] = []
  #next = 0
  #newest = 0
  #isMeasured = false

  constructor(from: number, due: readonly number[]) {
    this.#from = from
    this.#due = due
  }

  begin(): void {
    this.#isMeasured = true
  }

  beginBehind(price: number): void {
    this.saw(price, 0)
    this.#isMeasured = true
  }

  saw(price: number, at: number): void {
    this.#newest = Math.max(this.#newest, price - 1)
    for (
      let due = this.#due[this.#next];
      due !== undefined && due <= this.#newest + 0.005;
      due = this.#due[this.#next]
    ) {
      if (this.#isMeasured) this.latencies.push(at - this.#from - due)
      this.#next += 1
    }
  }
}

if (values.help) console.log(help)
else await main(Number(values.clients), Number(values.seconds) * 1_000, Number(values.rate))

async function main(clients: number, measuredMs: number, rate: number): Promise<void> {
  const say = (line: string) => (values.json ? undefined : console.error(line))
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-console-'))
  const db = await ownDatabase()
  const stop = new AbortController()
  const from = Date.now()
  /** When each trade was due, ms since the start, in order: the trade is the one of this price. */
  const due: number[] = []
  try {
    await db.schema('public')
    const running = runPipeline(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })), {
      dataDir: folder,
      databaseUrl: db.url,
      archive: 'none',
      topic,
      feed: { feed: pricedFeed(from, rate, due), topic },
      signal: stop.signal,
    })
    running.catch((error: unknown) => {
      console.error(error)
      process.exit(1)
    })
    const web = await startConsole(db.url)
    say(`the console is ${web.url}; ${clients} clients`)
    const pushed = Array.from({ length: clients }, () => new Seen(from, due))
    const sockets = await Promise.all(pushed.map((seen) => watch(web.url, (price) => seen.saw(price, Date.now()))))
    const browser = await openBrowser(web.url)
    await sleep(warmUpMs)
    for (const seen of pushed) seen.begin()
    await browser?.begin()
    await sleep(measuredMs)
    const push = new Histogram()
    for (const seen of pushed) for (const ms of seen.latencies) push.add(ms)
    const painted = new Seen(from, due)
    const paints = (await browser?.end()) ?? []
    const [first] = paints
    if (first !== undefined) painted.beginBehind(first.price)
    for (const { price, at } of paints) painted.saw(price, at)
    const pixel = new Histogram()
    for (const ms of painted.latencies) pixel.add(ms)
    for (const socket of sockets) socket.terminate()
    web.child.kill('SIGKILL')
    stop.abort()
    await running
    const result = {
      clients,
      rate,
      seconds: measuredMs / 1_000,
      push_p50_ms: Math.round(push.quantile(0.5)),
      push_p99_ms: Math.round(push.quantile(0.99)),
      push_max_ms: Math.round(push.max),
      pixel_p50_ms: paints.length === 0 ? null : Math.round(pixel.quantile(0.5)),
      pixel_p99_ms: paints.length === 0 ? null : Math.round(pixel.quantile(0.99)),
      trades: push.total,
    }
    console.log(JSON.stringify(result))
  } finally {
    stop.abort()
    await db.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Trades of BTCUSDT at a steady rate; the price is when the trade was due, in hundredths of a second since the start, so that it only grows. */
function pricedFeed(from: number, rate: number, due: number[]): Feed {
  return {
    name: 'priced',
    open: async (_position, { partitionOf }) => {
      const key = Buffer.from('BTCUSDT')
      let made = 0
      return {
        read: async ({ signal }) => {
          while (!signal.aborted && dueOf(made, rate) > Date.now() - from) await sleep(tickMs)
          const records = []
          for (; dueOf(made, rate) <= Date.now() - from; made += 1) {
            due.push(dueOf(made, rate))
            const at = Math.round(from + dueOf(made, rate))
            const trade = {
              e: 'trade',
              E: at,
              s: 'BTCUSDT',
              t: made + 1,
              p: priceOf(dueOf(made, rate)),
              q: '0.01',
              T: at,
              m: false,
              M: true,
            }
            records.push({
              partition: partitionOf(key),
              timestamp: at,
              key,
              value: Buffer.from(JSON.stringify({ stream: 'btcusdt@trade', data: trade })),
            })
          }
          return { records, position: String(made) }
        },
        progress: () => ({ bytesDone: null, bytesTotal: null, waitingFor: null, counts: {}, newestTime: null }),
        close: async () => undefined,
      }
    },
  }
}

function dueOf(trade: number, rate: number): number {
  return ((trade + 1) * 1_000) / rate
}

/** Never 0, which is no price. */
function priceOf(dueMs: number): string {
  return (dueMs + 1).toFixed(2)
}

async function startConsole(url: string) {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../test/support/consoleProcess.ts', import.meta.url))],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, CONSOLE_ADDRESS: url, CONSOLE_SCHEMA: 'public', CONSOLE_PORT: '0' },
    },
  )
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, url: line.toString().trim() }
}

async function watch(url: string, saw: (price: number) => void): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}api/live`)
  await once(socket, 'open')
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as ServerMessage
    if (message.kind !== 'series') return
    for (const candle of message.candles) saw(Number(candle[4]))
  })
  const series = { id: 1, dataSet: 'public', market: 'spot', symbol: 'BTCUSDT', interval: '1m', indicators: ['sma:20'] }
  socket.send(JSON.stringify({ kind: 'watch', pipelines: true, symbols: 'public', series: [series] }))
  return socket
}

interface Paint {
  readonly price: number
  readonly at: number
}

/** A page whose closing price is looked at in each frame. */
async function openBrowser(url: string) {
  const executablePath = browserPath()
  if (executablePath === null) return null
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const page = await browser.newPage()
  await page.goto(`${url}#/market/public/spot/BTCUSDT/1m`)
  return {
    begin: () =>
      page.evaluate(`(() => {
        window.paints = [];
        let before = '';
        const look = () => {
          const text = document.querySelector('[data-close]')?.textContent ?? '';
          if (text !== before) window.paints.push({ price: Number(text.replace(/[^0-9.]/g, '')), at: Date.now() });
          before = text;
          requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      })()`),
    end: async (): Promise<readonly Paint[]> => {
      const paints = (await page.evaluate('window.paints')) as readonly Paint[]
      await browser.close()
      return paints
    },
  }
}
