import { expect, test } from 'vitest'
import { doctorText } from '../../../src/cli/commands/doctor.ts'
import { surveyChecks } from '../../../src/cli/exchangeChecks.ts'
import { type BinanceSurveyOptions, surveyBinance } from '../../../src/sources/binance/survey.ts'
import { surveyCoinbase } from '../../../src/sources/coinbase/survey.ts'
import { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'

const survey = (
  exchange: Pick<SimulatedExchange, 'restUrl' | 'streamUrl'>,
  options: Partial<BinanceSurveyOptions> = {},
) => surveyBinance({ market: 'spot', symbols: [], endpoints: exchange, timeoutMs: 5_000, ...options })

async function words(exchange: SimulatedExchange, options: Partial<BinanceSurveyOptions> = {}): Promise<string> {
  return doctorText(surveyChecks(await survey(exchange, options), {})).join('\n')
}

test('an exchange that answers: its time, the weight that is left and the symbols', async () => {
  const exchange = await SimulatedExchange.start()
  exchange.useWeight(1_000)
  const seen = await survey(exchange, { symbols: ['BTCUSDT', 'BTCUSD'] })
  expect(seen).toMatchObject({
    restProblem: null,
    streamProblem: null,
    refusal: null,
    weight: { used: 1_021, perMinute: 6_000 },
  })
  expect([...(seen.statuses ?? [])]).toEqual([
    ['BTCUSDT', 'TRADING'],
    ['BTCUSD', 'not listed'],
  ])
  expect(Math.abs(seen.clockAheadMs ?? Number.NaN)).toBeLessThan(5_000)
  await exchange.close()
})

test('one that does not is told with its host and the reason', async () => {
  const exchange = await SimulatedExchange.start()
  const { streamUrl, restUrl } = exchange
  await exchange.close()
  const { restProblem, streamProblem } = await survey({ streamUrl, restUrl })
  for (const problem of [restProblem, streamProblem]) {
    expect(problem).toContain(new URL(restUrl).host)
    expect(problem).toContain('ECONNREFUSED')
  }
})

test('doctor tells a ban with its end, a location that is not served, a stream that does not open, clocks and symbols', async () => {
  const exchange = await SimulatedExchange.start()
  exchange.delist('ETHUSDT')
  expect(await words(exchange, { symbols: ['BTCUSDT', 'ETHUSDT'], machineNow: () => Date.now() + 90_000 })).toMatch(
    /warn {2}exchange clock +this machine is (89|90|91)\d{3} ms ahead of the exchange .*\n.*NTP[\s\S]*warn {2}exchange symbols +not traded: ETHUSDT \(BREAK\)/,
  )
  exchange.failRest({ status: 451 })
  expect(await words(exchange)).toMatch(
    /exchange .*does not answer well.* 451.*\n +The exchange does not serve this location/,
  )
  await exchange.close()
  const other = await SimulatedExchange.start()
  other.useWeight(4_000)
  other.faults.refusesConnections = true
  expect(await words(other)).toMatch(
    /warn {2}exchange stream .*no WebSocket[\s\S]*warn {2}exchange limits +4021 of 6000 .* 1979 left/,
  )
  other.failRest({ status: 418, retryAfterSeconds: 7_200 })
  expect(await words(other)).toMatch(/exchange limits +this address is banned \(418\) for 2 h/)
  // It is remembered: nobody is asked again.
  const asked = other.requests.length
  expect(await words(other)).toMatch(/exchange .*418/)
  expect(other.requests).toHaveLength(asked)
  await other.close()
})

test('Coinbase is looked at in the same way', async () => {
  const exchange = await SimulatedExchange.start({ speaks: 'coinbase', symbols: ['BTC-USD', 'ETH-USD'] })
  const look = async () =>
    doctorText(
      surveyChecks(
        await surveyCoinbase({ symbols: ['BTC-USD', 'ETH-USD', 'XRP-USD'], endpoints: exchange, timeoutMs: 5_000 }),
        {},
      ),
    ).join('\n')
  try {
    exchange.delist('ETH-USD')
    const found = await look()
    expect(found).toMatch(/exchange +http:\/\/127\.0\.0\.1:\d+ answers/)
    expect(found).toMatch(/exchange stream +ws:\/\/127\.0\.0\.1:\d+ takes connections/)
    expect(found).toMatch(/exchange clock +this machine is \d+ ms/)
    expect(found).toMatch(/not traded: ETH-USD \(delisted\), XRP-USD \(not listed\)/)
    expect(found).not.toContain('weight')
    exchange.failRest({ status: 429, retryAfterSeconds: 30 })
    expect(await look()).toMatch(/answers 429 and asks to wait/)
  } finally {
    await exchange.close()
  }
})
