// Produces trades at a steady rate, as a process of its own: `node bench/kafka/liveTrades.ts BROKERS TOPIC RATE`. Ends on SIGTERM.
import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../../src/runtime/errors.ts'
import type { OutgoingRecord } from '../../src/runtime/log/log.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../src/sources/kafka/producer/openKafkaWriter.ts'
import { simulatedSymbols } from '../../src/sources/simulator/simulatedFrames.ts'
import { backlogPartitions } from './backlog.ts'
import { dueAt } from './schedule.ts'

const [brokers = '', topic = '', rateText = ''] = process.argv.slice(2)
const rate = Number(rateText)
const tickMs = 2
const retryMs = 100
const symbols = simulatedSymbols(backlogPartitions)
const keys = symbols.map((symbol) => Buffer.from(symbol))

let isOver = false
process.on('SIGTERM', () => {
  isOver = true
})

const writer = await openKafkaWriter(kafkaSettings({ brokers: brokers.split(',') }), { topic })
await writer.claim('live')
const schedule = { rate, from: performance.timeOrigin + performance.now() + 100 }
const run = `${schedule.from} `
process.send?.(schedule)

let made = 0
while (!isOver) {
  const now = performance.timeOrigin + performance.now()
  const pending: OutgoingRecord[] = []
  // By the schedule and not by what the broker has answered: trades do not wait for it either.
  while (dueAt(schedule, made) <= now) pending.push(trade(made++))
  if (pending.length > 0) await append(pending)
  await sleep(tickMs)
}
await writer.close()
process.disconnect?.()

/** A broker that is too busy to answer in time is asked what it has stored, and gets the rest by the schedule: late, but not lost. */
async function append(pending: readonly OutgoingRecord[]): Promise<void> {
  try {
    await writer.append(pending, `${run}${made}`)
  } catch (error) {
    for (let problem = error; problem !== null && !isOver; ) {
      if (!(problem instanceof RetryableError)) throw problem
      console.error(`the producer tries again: ${problem.message}`)
      await sleep(retryMs)
      problem = await writer.claim('live').then(
        ({ position }) => {
          // A broker that is not this run's alone may hold what an earlier one has stored.
          made = position?.startsWith(run) ? Number(position.slice(run.length)) : 0
          return null
        },
        (again: unknown) => again,
      )
    }
  }
}

function trade(index: number): OutgoingRecord {
  const partition = index % symbols.length
  const time = Math.floor(dueAt(schedule, index))
  const price = `${61_000 + (index % 997)}.${10 + (index % 90)}000000`
  const value = Buffer.from(
    `{"e":"trade","E":${time},"s":"${symbols[partition]}","t":${Math.floor(index / symbols.length)},"p":"${price}","q":"0.02000000","T":${time},"m":${index % 2 === 0},"M":true}`,
    'latin1',
  )
  return { partition, timestamp: time, key: keys[partition] as Buffer, value }
}
