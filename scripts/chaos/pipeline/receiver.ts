// The program of a receiver of webhooks: it counts what it is sent by id, and is a trial for whoever sends. `Receiver` starts it and asks what it has seen.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../../../src/testing/random.ts'

/** What the receiver tells whoever started it. */
export type MessageFromReceiver =
  | { readonly kind: 'listening'; readonly port: number }
  | {
      readonly kind: 'seen'
      /** Of each id, every body that came under it. */
      readonly bodies: readonly (readonly [id: string, bodies: readonly string[]])[]
      readonly requests: number
      readonly unkind: number
    }

const random = new Random(`receiver ${process.argv[2]}`)
const bodies = new Map<string, Set<string>>()
let requests = 0
let unkind = 0
let awayUntil = 0

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port')
  tell({ kind: 'listening', port: address.port })
})
process.on('message', () =>
  tell({ kind: 'seen', bodies: [...bodies].map(([id, all]) => [id, [...all]]), requests, unkind }),
)
process.on('disconnect', () => process.exit())

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  requests++
  const fate = random.fraction()
  const now = performance.now()
  if (fate < 0.002) awayUntil = now + random.int(500, 3_000)
  const isAway = now < awayUntil
  if (fate < 0.1 || isAway) unkind++
  // Before it is taken: nothing has been seen.
  if (fate < 0.03 || isAway) return end(response, 503)
  if (fate < 0.05) await sleep(random.int(50, 600))
  take(String(request.headers['idempotency-key']), Buffer.concat(chunks).toString())
  // Taken all the same: it comes again.
  if (fate >= 0.05 && fate < 0.07) return end(response, 500)
  if (fate >= 0.07 && fate < 0.1) {
    response.destroy()
    return
  }
  end(response, 204)
}

function take(id: string, body: string): void {
  const seen = bodies.get(id)
  if (seen === undefined) bodies.set(id, new Set([body]))
  else seen.add(body)
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status).end()
}

function tell(message: MessageFromReceiver): void {
  process.send?.(message)
}
