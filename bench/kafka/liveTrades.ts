// Produces trades at a steady rate, as a process of its own: `node bench/kafka/liveTrades.ts BROKERS TOPIC RATE WAY`. Ends on SIGTERM, and says then what it has done.
import { setTimeout as sleep } from 'node:timers/promises'
import type { OutgoingRecord } from '../../src/runtime/log/log.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { simulatedSymbols } from '../../src/sources/simulator/simulatedFrames.ts'
import { backlogPartitions } from './backlog.ts'
import { PlainAppends } from './plainAppends.ts'
import { dueAt, type ProducerWay, wallClock } from './schedule.ts'
import { TransactionalAppends } from './transactionalAppends.ts'

const [brokers = '', topic = '', rateText = '', way = ''] = process.argv.slice(2)
const rate = Number(rateText)
const tickMs = 2
const symbols = simulatedSymbols(backlogPartitions)
const keys = symbols.map((symbol) => Buffer.from(symbol))

let isOver = false
process.on('SIGTERM', () => {
  isOver = true
})

const settings = kafkaSettings({ brokers: brokers.split(',') })
const ways = { plain: PlainAppends, transactions: TransactionalAppends }
const log = await ways[way as ProducerWay].open(settings, topic)
const schedule = { rate, from: wallClock() + 100 }
process.send?.(schedule)

let made = 0
while (!isOver) {
  const now = wallClock()
  const pending: OutgoingRecord[] = []
  // By the schedule and not by what the broker has answered: trades do not wait for it either.
  while (dueAt(schedule, made) <= now) pending.push(trade(made++))
  if (pending.length > 0) made = await log.append(pending, made, () => isOver)
  await sleep(tickMs)
}
const produced = await log.end()
process.send?.(produced, () => process.disconnect?.())

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
