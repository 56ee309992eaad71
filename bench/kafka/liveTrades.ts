// Produces trades at a steady rate, as a process of its own: `node bench/kafka/liveTrades.ts BROKERS TOPIC RATE`. Ends on SIGTERM.
import { setTimeout as sleep } from 'node:timers/promises'
import type { OutgoingRecord } from '../../src/runtime/log.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../src/sources/kafka/producer/openKafkaWriter.ts'
import { simulatedSymbols } from '../../src/sources/simulator/simulatedFrames.ts'
import { backlogPartitions } from './backlog.ts'
import { dueAt } from './schedule.ts'

const [brokers = '', topic = '', rateText = ''] = process.argv.slice(2)
const rate = Number(rateText)
const tickMs = 2
const symbols = simulatedSymbols(backlogPartitions)
const keys = symbols.map((symbol) => Buffer.from(symbol))

let isOver = false
process.on('SIGTERM', () => {
  isOver = true
})

const writer = await openKafkaWriter(kafkaSettings({ brokers: brokers.split(',') }), { topic })
await writer.claim('live')
const schedule = { rate, from: performance.timeOrigin + performance.now() + 100 }
process.send?.(schedule)

let made = 0
while (!isOver) {
  const now = performance.timeOrigin + performance.now()
  const pending: OutgoingRecord[] = []
  // By the schedule and not by what the broker has answered: trades do not wait for it either.
  while (dueAt(schedule, made) <= now) pending.push(trade(made++))
  if (pending.length > 0) await writer.append(pending, String(made))
  await sleep(tickMs)
}
await writer.close()
process.disconnect?.()

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
