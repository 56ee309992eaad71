import { describe, expect, test } from 'vitest'
import { StartWait, StoppedWaiting } from '../../src/host/startWait.ts'
import { ConfigurationError, RetryableError } from '../../src/runtime/errors.ts'
import { Silence } from '../../src/runtime/firstWords.ts'
import { VirtualClock } from '../../src/testing/virtualClock.ts'

function newWait() {
  const clock = new VirtualClock()
  const startedAt = clock.now()
  const said: (readonly [seconds: number, line: string])[] = []
  const waitingFor: string[] = []
  const seconds = () => (clock.now() - startedAt) / 1_000
  const wait = new StartWait({
    clock,
    say: (line) => said.push([seconds(), line]),
    onWaiting: (reason) => waitingFor.push(reason),
  })
  return { clock, wait, said, waitingFor, seconds }
}

const away = new RetryableError('connect ECONNREFUSED')
const never = () => new Promise<never>(() => undefined)

describe('StartWait', () => {
  test('says nothing where the first attempt succeeds', async () => {
    const { clock, wait, said, waitingFor } = newWait()
    expect(await clock.run(wait.until('the database', async () => 7))).toBe(7)
    expect(said).toEqual([])
    expect(waitingFor).toEqual([])
    expect(clock.sleeping).toBe(0)
  })

  test('tries again until there is an answer, with waits that double up to 5 s', async () => {
    const { clock, wait, seconds } = newWait()
    const tries: number[] = []
    const result = wait.until('the database', async () => {
      tries.push(seconds())
      if (tries.length < 9) throw away
      return 'here'
    })
    expect(await clock.run(result)).toBe('here')
    expect(tries).toEqual([0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 11.3, 16.3])
  })

  test('says what it waits for at once, then after 10 s, 20 s and 40 s more, then once a minute, and when it is there', async () => {
    const { clock, wait, said, seconds } = newWait()
    const result = wait.until('Kafka at here:1', async () => {
      if (seconds() < 250) throw away
    })
    await clock.run(result)
    expect(said).toEqual([
      [0, 'Waiting for Kafka at here:1: connect ECONNREFUSED'],
      [10, 'Still waiting (10 s) for Kafka at here:1: connect ECONNREFUSED'],
      [30, 'Still waiting (30 s) for Kafka at here:1: connect ECONNREFUSED'],
      [70, 'Still waiting (1 min 10 s) for Kafka at here:1: connect ECONNREFUSED'],
      [130, 'Still waiting (2 min 10 s) for Kafka at here:1: connect ECONNREFUSED'],
      [190, 'Still waiting (3 min 10 s) for Kafka at here:1: connect ECONNREFUSED'],
      [250, 'Still waiting (4 min 10 s) for Kafka at here:1: connect ECONNREFUSED'],
      [251.3, 'Kafka at here:1 is there after 4 min 11 s.'],
    ])
  })

  test('an attempt that neither fails nor answers is told of after 5 s', async () => {
    const { clock, wait, said } = newWait()
    const result = wait.until('the database', async () => {
      await clock.sleep(7_000)
      throw new ConfigurationError('password authentication failed')
    })
    await expect(clock.run(result)).rejects.toThrow('password authentication failed')
    expect(said).toEqual([[5, 'Waiting for the database: no answer for 5 s']])
  })

  test('reports each second what is waited for, by its newest reason', async () => {
    const { clock, wait, waitingFor } = newWait()
    let tries = 0
    const result = wait.until('the database', async () => {
      tries += 1
      if (tries === 1) throw away
      if (tries < 6) throw new RetryableError('the database system is starting up (57P03)')
    })
    await clock.run(result)
    expect(waitingFor).toEqual([
      'the database: connect ECONNREFUSED',
      'the database: the database system is starting up (57P03)',
      'the database: the database system is starting up (57P03)',
      'the database: the database system is starting up (57P03)',
    ])
  })

  test.each([new ConfigurationError('no database x'), new Error('bug')])(
    'what waiting cannot mend ends it at once, also after it has waited: %s',
    async (error) => {
      const { clock, wait, said } = newWait()
      let tries = 0
      const result = wait.until('the database', async () => {
        tries += 1
        throw tries === 1 ? away : error
      })
      await expect(clock.run(result)).rejects.toBe(error)
      expect(said).toHaveLength(1)
      expect(clock.sleeping).toBe(0)
    },
  )

  test('a stop ends the pause between two attempts at once', async () => {
    const { clock, wait, seconds } = newWait()
    const result = wait.until('the database', async () => {
      throw away
    })
    const failed = expect(result).rejects.toThrow(StoppedWaiting)
    await clock.advance(20_050)
    wait.stop()
    await clock.run(failed)
    expect(seconds()).toBe(20.05)
  })

  test('a stop does not wait for an attempt that hangs', async () => {
    const { clock, wait, seconds } = newWait()
    const result = wait.until('the database', never)
    const failed = expect(result).rejects.toThrow('Stopped while waiting for the database.')
    await clock.advance(1_500)
    wait.stop()
    await clock.run(failed)
    expect(seconds()).toBe(1.5)
  })

  test('what an attempt opens after the stop is closed, and one that fails then is nobody’s', async () => {
    for (const isOpened of [true, false]) {
      const { clock, wait } = newWait()
      const late = Promise.withResolvers<string>()
      const closed: string[] = []
      const result = wait.until(
        'the log',
        () => late.promise,
        async (log) => void closed.push(log),
      )
      const failed = expect(result).rejects.toThrow(StoppedWaiting)
      await clock.advance(500)
      wait.stop()
      await clock.run(failed)
      if (isOpened) late.resolve('log')
      else late.reject(away)
      await clock.settle()
      expect(closed).toEqual(isOpened ? ['log'] : [])
    }
  })

  test('nothing is tried after a stop', async () => {
    const { wait } = newWait()
    wait.stop()
    let tries = 0
    await expect(wait.until('the log', async () => ++tries)).rejects.toThrow(StoppedWaiting)
    expect(tries).toBe(0)
  })
})

test('a host name that nobody knows is waited for half a minute, as a container may yet come, and no longer', async () => {
  const { clock, wait, said, seconds } = newWait()
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND datbase'), { code: 'ENOTFOUND' })
  const result = wait.until('PostgreSQL', async () => {
    throw new RetryableError('could not connect: getaddrinfo ENOTFOUND datbase', { cause: unknown })
  })
  await expect(clock.run(result)).rejects.toThrow(ConfigurationError)
  await expect(result).rejects.toThrow(/nobody has known this host name for 30 s/)
  expect(seconds()).toBeGreaterThan(30)
  expect(seconds()).toBeLessThan(40)
  expect(said[0]).toEqual([0, 'Waiting for PostgreSQL: could not connect: getaddrinfo ENOTFOUND datbase'])
})

describe('a server that takes connections and says nothing', () => {
  const silent = new RetryableError('here:1 takes connections and says nothing', { cause: new Silence('here:1') })

  test('is waited for for a minute from the first attempt, and no longer', async () => {
    const { clock, wait, said, seconds } = newWait()
    const result = wait.until('PostgreSQL', async () => {
      await clock.sleep(8_000)
      throw silent
    })
    await expect(clock.run(result)).rejects.toThrow(ConfigurationError)
    await expect(result).rejects.toThrow(/here:1 takes connections and says nothing; it was waited for for 1 min 00 s/)
    expect(seconds()).toBeGreaterThanOrEqual(60)
    expect(seconds()).toBeLessThan(75)
    expect(said.at(-1)?.[1]).toMatch(/^Still waiting .*says nothing/)
  })

  test('but not where it says something in between', async () => {
    const { clock, wait, seconds } = newWait()
    let tries = 0
    const result = wait.until('PostgreSQL', async () => {
      await clock.sleep(8_000)
      tries += 1
      if (seconds() > 200) return 'here'
      throw tries % 4 === 0 ? away : silent
    })
    expect(await clock.run(result)).toBe('here')
  })
})
