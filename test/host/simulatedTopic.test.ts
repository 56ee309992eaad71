import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { requireFitTopic } from '../../src/host/simulatedTopic.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { marketFeed } from '../../src/sources/market/marketFeed.ts'
import { simulatorFeed } from '../../src/sources/simulator/simulatorFeed.ts'
import { runCommand } from '../support/commandLine.ts'

test('a feed that invents its records is kept out of every topic but those of invented ones', () => {
  const invented = marketFeed(simulatorFeed({ symbols: ['BTCUSDT'] }))
  expect(() => requireFitTopic(invented, 'crypto.trades.raw')).toThrow(ConfigurationError)
  expect(() => requireFitTopic(invented, 'crypto.trades.simulated.raw')).not.toThrow()
  const { isSimulated: _isSimulated, ...real } = invented
  expect(() => requireFitTopic(real, 'crypto.trades.raw')).not.toThrow()
})

test('the simulator never fills the topic of the exchange, in whichever log', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-simulated-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const place = { cwd: folder, env: { MILLRACE_DATA_DIR: folder } }
  for (const command of [['run', 'realtime'], ['ingest']]) {
    for (const env of [{}, { KAFKA_BROKERS: '127.0.0.1:1' }]) {
      const ended = await runCommand([...command, '--source', 'simulator', '--topic', 'crypto.trades.raw'], {
        ...place,
        env: { ...place.env, ...env },
      })
      expect(ended).toMatchObject({ code: 2 })
      expect(ended.stderr).toContain('invented prices only go into a topic with "simulated" in its name')
    }
  }
})
