import { expect, it } from 'vitest'
import { watchedForAge } from '../../src/host/agedRecords.ts'
import type { LogWriter, OutgoingRecord } from '../../src/runtime/log/log.ts'

const hour = 3_600_000
const now = Date.UTC(2026, 10, 27)

function watched() {
  const warnings: string[] = []
  const appended: number[] = []
  const writer: LogWriter = {
    claim: async () => ({ position: 'here' }),
    append: async (records) => {
      appended.push(records.length)
    },
    close: async () => undefined,
  }
  const options = {
    topic: 'orders',
    retentionMs: 24 * hour,
    now: () => now,
    onWarning: (line: string) => warnings.push(line),
  }
  return { warnings, appended, writer: watchedForAge(writer, options) }
}

const records = (...ages: number[]): OutgoingRecord[] =>
  ages.map((age) => ({ partition: 0, timestamp: now - age * hour, key: null, value: null }))

it('says once that all records of an append are older than the topic keeps them, and appends them', async () => {
  const { writer, warnings, appended } = watched()
  await writer.append(records(100, 48, 60), 'a')
  await writer.append(records(47), 'b')
  expect(appended).toEqual([3, 1])
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('2026-11-25T00:00:00.000Z, and topic orders keeps records for 24 h 00 min')
  expect(warnings[0]).toContain('KAFKA_RETENTION_HOURS=forever')
})

it('says nothing of an append with a record that is kept, nor of an empty one', async () => {
  const { writer, warnings } = watched()
  await writer.append(records(100, 23), 'a')
  await writer.append([], 'b')
  expect(warnings).toEqual([])
  expect(await writer.claim('shop')).toEqual({ position: 'here' })
})
