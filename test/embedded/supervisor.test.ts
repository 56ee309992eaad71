import { expect, test } from 'vitest'
import { watchServer } from '../../src/embedded/supervisor.ts'

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

test('a stop while a restart is waited for ends at once, and leaves no timer that would keep the process alive', async () => {
  const before = timers()
  let attempts = 0
  const failed = Promise.withResolvers<void>()
  const supervisor = watchServer({
    isAlive: () => false,
    restart: async () => {
      attempts += 1
      throw new Error('the disk is full')
    },
    onStatus: (status) => {
      if (status.state === 'restarting' && status.attempt === 3 && status.error !== null) failed.resolve()
    },
  })
  await failed.promise
  await supervisor.stop()
  expect(attempts).toBe(3)
  expect(timers()).toBeLessThanOrEqual(before)
})
