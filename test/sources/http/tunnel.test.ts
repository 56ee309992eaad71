import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { downloadArchive } from '../../../src/backfill/download.ts'
import { surveyBinance } from '../../../src/sources/binance/survey.ts'
import { bodyText, httpGet } from '../../../src/sources/http/httpGet.ts'
import { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'
import { apiFor } from '../../backfill/apiFor.ts'
import { makeAuthority } from '../../support/certificates.ts'
import { type ConnectProxy, type ConnectProxyOptions, connectProxy } from '../../support/connectProxy.ts'
import { LiveIngest, range } from '../binance/liveIngest.ts'

let exchange: SimulatedExchange
const open: { close(): Promise<unknown> }[] = []
beforeEach(async () => {
  exchange = await SimulatedExchange.start({ firstId: 100 })
  open.push(exchange)
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY']) {
    vi.stubEnv(name, '')
    vi.stubEnv(name.toLowerCase(), '')
  }
})
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const one of open.splice(0).reverse()) await one.close()
})

const portOf = (url: string) => Number(new URL(url).port)
const user = `Basic ${Buffer.from('anna:secret').toString('base64')}`

async function behind(options: Partial<ConnectProxyOptions> = {}): Promise<ConnectProxy> {
  const port = portOf(exchange.restUrl)
  const proxy = await connectProxy({ ports: { 'exchange.test:80': port }, authorization: user, ...options })
  open.push(proxy)
  vi.stubEnv('HTTP_PROXY', `http://anna:secret@127.0.0.1:${proxy.port}`)
  return proxy
}
const there = { streamUrl: 'ws://exchange.test', restUrl: 'http://exchange.test' }
const survey = (endpoints: { readonly streamUrl: string; readonly restUrl: string }) =>
  surveyBinance({ market: 'spot', symbols: [], endpoints, timeoutMs: 5_000 })
const get = (url: string) => httpGet(url, { signal: AbortSignal.timeout(10_000) })

test('a feed takes its trades and fills its gaps through the proxy, which alone knows the name', async () => {
  const proxy = await behind()
  const ingest = new LiveIngest(exchange, { endpoints: there })
  await exchange.untilSubscribed('BTCUSDT')
  exchange.trade('BTCUSDT')
  exchange.trade('BTCUSDT', { isMissed: true })
  exchange.trade('BTCUSDT')
  await ingest.reached('BTCUSDT', 102)
  expect(await ingest.ids('BTCUSDT')).toEqual(range(100, 102))
  await ingest.stop()
  expect(new Set(proxy.targets)).toEqual(new Set(['exchange.test:80']))
  expect(exchange.requests.some((path) => path.includes('historicalTrades'))).toBe(true)
  expect(ingest.notices.join('\n')).not.toContain('secret')
})

test('history and downloads go through it, and what NO_PROXY names does not', async () => {
  const proxy = await behind()
  expect(await apiFor(there.restUrl).get('/api/v3/time', {})).toHaveProperty('body.serverTime')
  await expect(downloadArchive(`${there.restUrl}/x.zip`, '/tmp', AbortSignal.timeout(10_000))).rejects.toThrow('(404)')
  expect(proxy.targets.length).toBeGreaterThan(0)
  const before = proxy.targets.length
  vi.stubEnv('NO_PROXY', 'exchange.test')
  await expect(get(`${there.restUrl}/api/v3/time`)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/)
  expect(proxy.targets).toHaveLength(before)
})

test('a proxy that refuses is told in its own name, and its 403 is not taken for that of the exchange', async () => {
  await behind({ ports: {} })
  const refused = await survey(there)
  for (const problem of [refused.restProblem, refused.streamProblem])
    expect(problem).toMatch(/the proxy 127\.0\.0\.1:\d+ \(HTTP_PROXY\) answers 403 for exchange\.test:80/)
  const api = apiFor(there.restUrl)
  await expect(api.get('/api/v3/time', {})).rejects.toThrow(/did not answer: the proxy .* answers 403/)
})

test('one that wants a user says so, and its password is nowhere', async () => {
  const proxy = await behind({ authorization: 'Basic other' })
  const { streamProblem } = await survey(there)
  expect(streamProblem).toContain('answers 407 for exchange.test:80: it asks for a user and a password')
  expect(streamProblem).not.toMatch(/secret|anna/)
  await proxy.close()
  const gone = await survey(there)
  expect(gone.streamProblem).toMatch(/the proxy .* cannot be reached: .*ECONNREFUSED/)
})

test('TLS goes through the tunnel to the exchange, and its certificate is checked by its own name', async () => {
  const authority = makeAuthority('tests')
  const trusted = getCACertificates('default')
  const { cert, key } = authority.issue('exchange', ['secure.test'])
  const port = portOf(exchange.restUrl)
  const front = createTlsServer({ cert, key }, (socket) => {
    const inner = connect(port, '127.0.0.1')
    socket.pipe(inner).pipe(socket)
    socket.on('error', () => inner.destroy())
    inner.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  open.push({ close: () => new Promise((resolve) => front.close(resolve)) })
  const frontPort = (front.address() as AddressInfo).port
  const ports = { 'secure.test:443': frontPort, 'other.test:443': frontPort }
  const proxy = await connectProxy({ ports })
  open.push(proxy)
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${proxy.port}`)
  const endpoints = { streamUrl: 'wss://secure.test', restUrl: 'https://secure.test' }
  expect((await survey(endpoints)).restProblem).toMatch(/certificate|issuer/)
  setDefaultCACertificates([...trusted, authority.cert])
  try {
    // What did not answer is asked again after a second.
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect(await survey(endpoints)).toMatchObject({ restProblem: null, streamProblem: null })
    await expect(get('https://other.test/api/v3/time')).rejects.toThrow(/altnames|does not match/i)
  } finally {
    setDefaultCACertificates(trusted)
    exchange.dropConnections()
  }
})

test('packed answers are unpacked, redirects followed, but not away from TLS and not for ever', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/packed') {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"packed":true}'))
    } else if (request.url === '/to') response.writeHead(302, { location: '/packed' }).end()
    else if (request.url === '/cut')
      response.writeHead(200, { 'content-length': '99' }).write('half', () => request.socket.destroy())
    else response.writeHead(302, { location: '/round' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect(await bodyText(await get(`${url}/to`), 100)).toBe('{"packed":true}')
  expect(await bodyText(await get(`${url}/to`), 5)).toBeNull()
  expect((await get(`${url}/round`)).status).toBe(302)
  await expect(get(`${url}/cut`).then((answer) => bodyText(answer, 100))).rejects.toThrow()
  const stopped = new AbortController()
  stopped.abort(new Error('enough'))
  await expect(httpGet(`${url}/to`, { signal: stopped.signal })).rejects.toThrow('enough')
})
