import { expect, test } from 'vitest'
import { probeBinance } from '../../../src/sources/binance/probe.ts'
import { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'

test('an exchange that answers is reachable', async () => {
  const exchange = await SimulatedExchange.start()
  expect(await probeBinance({ endpoints: exchange, timeoutMs: 5_000 })).toEqual({ reachable: true, reason: null })
  await exchange.close()
})

test('one that does not is told with its host and the reason', async () => {
  const exchange = await SimulatedExchange.start()
  const { streamUrl, restUrl } = exchange
  await exchange.close()
  const { reachable, reason } = await probeBinance({ endpoints: { streamUrl, restUrl }, timeoutMs: 5_000 })
  expect(reachable).toBe(false)
  expect(reason).toContain(new URL(restUrl).host)
  expect(reason).toContain('ECONNREFUSED')
})

test('a location that is not served is named as such', async () => {
  const exchange = await SimulatedExchange.start()
  exchange.failRest({ status: 451 })
  const { reason } = await probeBinance({ endpoints: exchange, timeoutMs: 5_000 })
  expect(reason).toContain('does not serve this location')
  await exchange.close()
})

test('an exchange whose stream does not open is not reachable', async () => {
  const exchange = await SimulatedExchange.start()
  exchange.faults.refusesConnections = true
  const { reachable, reason } = await probeBinance({ endpoints: exchange, timeoutMs: 5_000 })
  expect(reachable).toBe(false)
  expect(reason).toContain('no WebSocket')
  await exchange.close()
})
