import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import { Silence } from '../../../src/runtime/firstWords.ts'
import { probeStore } from '../../../src/sinks/objects/probeStore.ts'
import { s3Store } from '../../../src/sinks/objects/s3Store.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { type oddBehaviours, oddServer } from '../../support/oddServer.ts'

async function refusal(port: number): Promise<Error> {
  const store = s3Store({
    bucket: 'b',
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
    idleTimeoutMs: 300,
  })
  return probeStore(store).then(
    () => Promise.reject(new Error('it took an object')),
    (error: Error) => error,
  )
}

describe('an object store at a server that', { timeout: 20_000 }, () => {
  test.each<keyof typeof oddBehaviours>(['greets as a mail server', 'answers zeros', 'answers a length of 2 GB'])(
    '%s is told that it does not speak HTTP',
    async (behaviour) => {
      const error = await refusal(await oddServer(behaviour))
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error.message).toMatch(/what answers at the endpoint does not speak HTTP; correct AWS_ENDPOINT_URL_S3/)
    },
  )

  test('is silent is told so, and it may pass', async () => {
    const error = await refusal(await oddServer('silent'))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toMatch(/no answer in time; is it a store that listens there/)
    expect(error.cause).toBeInstanceOf(Silence)
  })
})

describe('a store whose answer never ends', () => {
  afterEach(() => vi.useRealTimers())
  test('is given up after 90 s', async () => {
    vi.useFakeTimers()
    const store = new MemoryObjectStore()
    store.put = () => new Promise(() => undefined)
    const probing = expect(probeStore(store)).rejects.toMatchObject({ cause: expect.any(Silence) })
    await vi.advanceTimersByTimeAsync(90_000)
    await probing
  })
})
