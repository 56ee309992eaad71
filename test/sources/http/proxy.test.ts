import { expect, test } from 'vitest'
import { type ProxyEnvironment, proxyOf, proxyText } from '../../../src/sources/http/proxy.ts'

const where = (url: string, env: ProxyEnvironment) => {
  const proxy = proxyOf(new URL(url), env)
  return proxy === null ? null : proxyText(proxy)
}

test('HTTPS_PROXY is for https and wss, HTTP_PROXY for http and ws, ALL_PROXY for what has none; lower case goes before', () => {
  const env = { HTTPS_PROXY: 'http://one:3128', HTTP_PROXY: 'two' }
  expect(where('https://api.binance.com', env)).toBe('one:3128 (HTTPS_PROXY)')
  expect(where('wss://stream.binance.com:9443', env)).toBe('one:3128 (HTTPS_PROXY)')
  expect(where('http://mirror.example', env)).toBe('two:80 (HTTP_PROXY)')
  expect(where('ws://mirror.example', env)).toBe('two:80 (HTTP_PROXY)')
  expect(where('https://api.binance.com', { ...env, https_proxy: 'https://lower' })).toBe('lower:443 (https_proxy)')
  expect(where('https://api.binance.com', { HTTP_PROXY: 'two', all_proxy: 'three:1' })).toBe('three:1 (all_proxy)')
  expect(where('https://api.binance.com', { HTTPS_PROXY: '' })).toBeNull()
})

test('NO_PROXY leaves out names, domains, ports and addresses; the own machine is never asked for by a proxy', () => {
  const env = (NO_PROXY: string) => ({ HTTPS_PROXY: 'one:3128', HTTP_PROXY: 'one:3128', NO_PROXY })
  for (const list of [
    'binance.com',
    '.binance.com',
    '*.binance.com',
    'x, API.binance.com',
    'api.binance.com:443',
    '*',
  ]) {
    expect(where('https://api.binance.com', env(list)), list).toBeNull()
  }
  for (const list of ['inance.com', 'api.binance.com:8443', 'com.binance', '', 'binance.com.example']) {
    expect(where('https://api.binance.com', env(list)), list).not.toBeNull()
  }
  expect(where('https://[2001:db8::7]/', env('2001:db8::7'))).toBeNull()
  expect(where('https://10.1.2.3/', env('10.1.2.3'))).toBeNull()
  for (const own of ['http://localhost:9550', 'ws://127.0.0.1:9550', 'https://[::1]/']) {
    expect(where(own, env('')), own).toBeNull()
  }
})

test('a password is in no message', () => {
  const url = new URL('https://api.binance.com')
  const secret = 'http://anna:s%20ecret@one:3128'
  const proxy = proxyOf(url, { HTTPS_PROXY: secret })
  expect(proxy?.authorization).toBe(`Basic ${Buffer.from('anna:s ecret').toString('base64')}`)
  expect(where('https://api.binance.com', { HTTPS_PROXY: secret })).toBe('one:3128 (HTTPS_PROXY)')
  for (const odd of ['socks5://anna:secret@one:1080', 'http://anna:secret@[one']) {
    try {
      expect.unreachable(String(proxyOf(url, { HTTPS_PROXY: odd })))
    } catch (error) {
      expect(String(error)).toMatch(/^ConfigurationError: HTTPS_PROXY (names|is no)/)
      expect(String(error)).not.toContain('secret')
    }
  }
})
