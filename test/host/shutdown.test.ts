import { describe, expect, test } from 'vitest'
import { Shutdown } from '../../src/host/shutdown.ts'

function listen() {
  const calls: string[] = []
  const clock = { now: 1000 }
  const shutdown = new Shutdown(
    () => calls.push('abort'),
    (code) => calls.push(`exit ${code}`),
    () => clock.now,
  )
  return { calls, clock, shutdown }
}

describe('Shutdown', () => {
  test('the first signal begins a stop, the second ends at once with 130', () => {
    const { calls, clock, shutdown } = listen()
    shutdown.whenStopping((signal) => calls.push(signal))
    process.emit('SIGINT', 'SIGINT')
    expect(calls).toEqual(['SIGINT'])
    clock.now += 1000
    process.emit('SIGINT', 'SIGINT')
    expect(calls).toEqual(['SIGINT', 'abort', 'exit 130'])
    shutdown.dispose()
  })

  test('one key press that npm relays is one signal', () => {
    const { calls, clock, shutdown } = listen()
    process.emit('SIGINT', 'SIGINT')
    clock.now += 20
    process.emit('SIGINT', 'SIGINT')
    expect(calls).toEqual([])
    shutdown.dispose()
  })

  test('a signal that came while the run was being opened is not lost', () => {
    const { calls, shutdown } = listen()
    process.emit('SIGTERM', 'SIGTERM')
    expect(shutdown.isStopping).toBe(true)
    shutdown.whenStopping((signal) => calls.push(signal))
    expect(calls).toEqual(['SIGTERM'])
    shutdown.dispose()
  })

  test('nothing listens after dispose', () => {
    const before = process.listenerCount('SIGINT')
    const { shutdown } = listen()
    shutdown.dispose()
    expect(process.listenerCount('SIGINT')).toBe(before)
  })
})
