import { type AddressInfo, connect, createServer } from 'node:net'
import { inventedHeader } from '../../src/sources/live/inventedPrices.ts'
import type { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'

/** A simulated exchange that passes for a real one: a proxy before it takes out the word that its prices are invented. */
export async function unmarked(exchange: SimulatedExchange) {
  const target = Number(new URL(exchange.restUrl).port)
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    client.pipe(upstream)
    upstream.on('data', (bytes: Buffer) => {
      const at = bytes.indexOf(inventedHeader)
      if (at >= 0) bytes.write('x'.repeat(inventedHeader.length), at)
      client.write(bytes)
    })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    streamUrl: `ws://127.0.0.1:${port}`,
    restUrl: `http://127.0.0.1:${port}`,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
