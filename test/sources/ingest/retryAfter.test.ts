import { expect, test } from 'vitest'
import { RetryableError } from '../../../src/runtime/errors.ts'
import type { Feed } from '../../../src/runtime/log/feed.ts'
import { runIngest } from '../../../src/sources/ingest/runIngest.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

test('a feed that was told to wait is not opened again before', async () => {
  const clock = new VirtualClock()
  const log = new MemoryLog({ partitions: 1 })
  const openedAt: number[] = []
  const feed: Feed = {
    name: 'banned',
    open: async () => {
      openedAt.push(clock.now())
      if (openedAt.length === 1) throw new RetryableError('banned', { retryAfterMs: 7_200_000 })
      return {
        read: async () => null,
        progress: () => ({ bytesDone: null, bytesTotal: null, waitingFor: null, counts: {}, newestTime: null }),
        close: async () => {},
      }
    },
  }
  await clock.run(runIngest({ feed, writer: log.writer(), producer: 'test', partitions: 1, clock }))
  expect((openedAt[1] as number) - (openedAt[0] as number)).toBe(7_200_000)
})
