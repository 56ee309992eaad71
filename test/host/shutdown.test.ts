import { describe, expect, test } from 'vitest'
import { Shutdown, stopSignals } from '../../src/host/shutdown.ts'

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

  test('a terminal that is closed begins a clean stop, however often that is said', () => {
    const { calls, clock, shutdown } = listen()
    shutdown.whenStopping((signal) => calls.push(signal))
    process.emit('SIGHUP', 'SIGHUP')
    clock.now += 1000
    process.emit('SIGHUP', 'SIGHUP')
    expect(calls).toEqual(['SIGHUP'])
    shutdown.dispose()
  })

  test('what begins a stop and is no signal leaves the first Ctrl-C a clean one', () => {
    const { calls, clock, shutdown } = listen()
    shutdown.whenStopping((why) => calls.push(why))
    shutdown.begin('nobody reads')
    clock.now += 1000
    process.emit('SIGINT', 'SIGINT')
    expect(calls).toEqual(['nobody reads'])
    clock.now += 1000
    process.emit('SIGINT', 'SIGINT')
    expect(calls).toEqual(['nobody reads', 'abort', 'exit 130'])
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
    const counts = () => stopSignals.map((signal) => process.listenerCount(signal))
    const before = counts()
    const { shutdown } = listen()
    shutdown.dispose()
    expect(counts()).toEqual(before)
  })
})
