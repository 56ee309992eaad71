import { filter } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import type { Clock } from '../../../src/runtime/clock.ts'
import { RefusedMessageError, RetryableError, TaskFencedError } from '../../../src/runtime/errors.ts'
import type { Delivery, Destination } from '../../../src/runtime/log/destination.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { CheckpointStore } from '../../../src/runtime/store/checkpoint.ts'
import { toDestination } from '../../../src/sinks/toDestination.ts'
import { Random } from '../../../src/testing/random.ts'
import { randomAdversity } from '../../../src/testing/simulation/adversity.ts'
import { runWithAdversity, type SimulatedStart } from '../../../src/testing/simulation/simulate.ts'

const seeds = 150
const partitions = 2
const everything = { after: 0, maxMessages: 100_000, maxBytes: 1 << 30 }

interface Taken {
  readonly id: string
  readonly text: string
}

/** What stands behind a destination and outlives all processes. */
class Outside {
  readonly taken = new Map<string, Taken[]>()
  readonly #holders = new Map<string, number>()
  readonly #places = new Map<string, number>()
  readonly #keepsPlace: boolean
  claims = 0
  lostReplies = 0

  constructor(keepsPlace: boolean) {
    this.#keepsPlace = keepsPlace
  }

  claim(part: string, holder: number): number | null {
    this.claims += 1
    this.#holders.set(part, holder)
    return this.#keepsPlace ? (this.#places.get(part) ?? 0) : null
  }

  take(part: string, holder: number, messages: readonly Delivery[], place: number): void {
    if (this.#keepsPlace && this.#holders.get(part) !== holder) throw new TaskFencedError('claimed by another one')
    const texts = messages.map(({ id, value }) => ({ id, text: Buffer.from(value ?? []).toString() }))
    const refused = texts.find(({ text }) => text.endsWith('!'))
    if (refused !== undefined) throw new RefusedMessageError('no', { id: refused.id })
    this.taken.set(part, [...(this.taken.get(part) ?? []), ...texts])
    this.#places.set(part, place)
  }
}

/** A way to the outside on which claims and sends are late, are lost, arrive without an answer, or arrive after their sender is gone. */
function wayTo(outside: Outside, clock: Clock, random: Random, faults: { left: number }, holder: number): Destination {
  let part = ''
  const strikes = (probability: number) => {
    if (faults.left === 0 || !random.chance(probability)) return false
    faults.left -= 1
    return true
  }
  return {
    ...(random.chance(0.5) ? { maxMessages: random.int(1, 5) } : {}),
    async claim(claimed) {
      part = claimed
      await clock.sleep(random.int(0, 300))
      if (strikes(0.1)) throw new RetryableError('the claim was not answered')
      return outside.claim(part, holder)
    },
    async send(messages, place) {
      await clock.sleep(random.int(0, 300))
      if (strikes(0.1)) throw new RetryableError('nothing arrived')
      outside.take(part, holder, messages, place)
      // A process that dies in this sleep never hears of it.
      await clock.sleep(random.int(0, 300))
      if (!strikes(0.1)) return
      outside.lostReplies += 1
      throw new RetryableError('the reply was lost')
    },
    close: async () => {},
  }
}

/** The outbox of a store on a bad day. */
function withBadOutbox(store: CheckpointStore, random: Random, faults: { left: number }): CheckpointStore {
  const { outbox } = store
  return {
    claim: (...asked) => store.claim(...asked),
    commit: (claim, checkpoint) => store.commit(claim, checkpoint),
    recordedSteps: (...asked) => store.recordedSteps(...asked),
    mergeNotes: (...asked) => store.mergeNotes(...asked),
    answers: (...asked) => store.answers(...asked),
    close: () => store.close(),
    outbox: new Proxy(outbox, {
      get(target, name: keyof typeof outbox) {
        const act = target[name].bind(target) as (...asked: unknown[]) => Promise<unknown>
        return async (...asked: unknown[]) => {
          const isStruck = faults.left > 0 && random.chance(0.1)
          if (isStruck) faults.left -= 1
          if (isStruck && random.chance(0.5)) throw new RetryableError('the store did not answer')
          const result = await act(...asked)
          if (isStruck) throw new RetryableError('the reply of the store was lost')
          return result
        }
      },
    }),
  }
}

/** Numbered by a state of their own, so that a message that is made twice, or without its state, says something else. */
const pipelineFor = (open: (start: SimulatedStart) => Destination) => (start: SimulatedStart) =>
  definePipeline({
    name: 'numbers',
    build: (records) => ({
      numbers: toDestination(
        records.pipe(
          decode({ decode: (record) => record.valueText() ?? undefined }),
          filter((text) => !text.startsWith('-')),
          stateful<string, string>({ name: 'count' }, ({ snapshot }, out) => {
            let count = (snapshot ?? 0) as number
            return {
              onValue(text) {
                for (let copy = 0; copy <= text.length % 2; copy++) out.emit(`${++count} ${text}`)
              },
              snapshot: () => count,
            }
          }),
        ),
        {
          name: 'outside',
          encode: (text) => ({ time: 0, key: null, value: Buffer.from(text) }),
          open: () => open(start),
        },
      ),
    }),
  })

interface Drawn {
  readonly records: readonly { partition: number; timestamp: number; key: null; value: Buffer }[]
  /** By part, what has to be sent. */
  readonly expected: ReadonlyMap<string, readonly Taken[]>
}

function draw(random: Random): Drawn {
  const count = random.int(20, 150)
  const expected = new Map<string, Taken[]>()
  const records = Array.from({ length: count }, (_, i) => {
    const partition = random.int(0, partitions - 1)
    const text = `${random.chance(0.2) ? '-' : ''}${'x'.repeat(random.int(1, 3))}${i}${random.chance(0.1) ? '!' : ''}`
    if (!text.startsWith('-')) {
      const part = `numbers/t/${partition}/numbers`
      const messages = expected.get(part) ?? []
      expected.set(part, messages)
      for (let copy = 0; copy <= text.length % 2; copy++) {
        const sequence = messages.length + 1
        messages.push({ id: `${part}/${sequence}`, text: `${sequence} ${text}` })
      }
    }
    return { partition, timestamp: i, key: null, value: Buffer.from(text) }
  })
  return { records, expected }
}

async function run(seed: number, keepsPlace: boolean) {
  const random = new Random(seed)
  const { records, expected } = draw(random.fork('records'))
  const outside = new Outside(keepsPlace)
  const ways = random.fork('ways')
  const faults = { left: 40 }
  const committed = new Map<string, number>()
  const early: string[] = []
  let holders = 0
  const take = outside.take.bind(outside)
  outside.take = (part, holder, messages, place) => {
    for (const { id } of messages) if (Number(id.split('/').at(-1)) > (committed.get(part) ?? 0)) early.push(id)
    take(part, holder, messages, place)
  }
  const noting = (store: CheckpointStore): CheckpointStore => {
    const bad = withBadOutbox(store, random.fork('outbox'), faults)
    return {
      ...bad,
      async commit(claim, checkpoint) {
        await store.commit(claim, checkpoint)
        for (const { outlet, messages } of checkpoint.messages ?? []) {
          const { pipeline, topic, partition } = claim.task
          committed.set(`${pipeline}/${topic}/${partition}/${outlet}`, messages.at(-1)?.sequence ?? 0)
        }
      },
    }
  }
  const result = await runWithAdversity(
    {
      pipeline: pipelineFor(({ clock }) => wayTo(outside, clock, ways.fork(`way ${holders}`), faults, holders++)),
      topic: 't',
      partitions,
      records,
      archive: null,
      closesOpen: false,
    },
    { ...randomAdversity(seed), tamper: noting },
  )
  expect(early, `seed ${seed}: sent before it was committed`).toEqual([])
  return { outside, expected, result }
}

const isRefused = ({ text }: Taken) => text.endsWith('!')

describe('a relay through crashes, takeovers and lost replies', () => {
  it('brings each message once, in order, to a destination that keeps its place', { timeout: 120_000 }, async () => {
    let lostReplies = 0
    let crashes = 0
    let takeovers = 0
    for (let seed = 1; seed <= seeds; seed++) {
      const { outside, expected, result } = await run(seed, true)
      for (const [part, messages] of expected) {
        expect(outside.taken.get(part) ?? [], `seed ${seed}, ${part}`).toEqual(
          messages.filter((one) => !isRefused(one)),
        )
      }
      await expectEmpty(seed, result.store, expected)
      lostReplies += outside.lostReplies
      crashes += result.crashes
      takeovers += result.takeovers
    }
    expect(lostReplies).toBeGreaterThan(seeds / 4)
    expect(crashes).toBeGreaterThan(seeds / 4)
    expect(takeovers).toBeGreaterThan(seeds / 10)
  })

  it('brings each message at least once, under its id, to one that does not', { timeout: 120_000 }, async () => {
    let repeats = 0
    for (let seed = 1; seed <= seeds; seed++) {
      const { outside, expected, result } = await run(seed, false)
      for (const [part, messages] of expected) {
        const taken = outside.taken.get(part) ?? []
        const first = [...new Map(taken.map((one) => [one.id, one])).values()]
        expect(first, `seed ${seed}, ${part}`).toEqual(messages.filter((one) => !isRefused(one)))
        const texts = new Map(messages.map(({ id, text }) => [id, text]))
        for (const { id, text } of taken) expect(text, `seed ${seed}, ${id}`).toBe(texts.get(id))
        repeats += taken.length - first.length
      }
      await expectEmpty(seed, result.store, expected)
    }
    expect(repeats).toBeGreaterThan(0)
  })
})

async function expectEmpty(seed: number, store: CheckpointStore, expected: Drawn['expected']): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const task = { pipeline: 'numbers', topic: 't', partition }
    const left = await store.outbox.read(await store.claim(task), 'numbers', everything)
    expect(left, `seed ${seed}, left in the outbox`).toEqual([])
    const refused = await store.outbox.refused(task, 'numbers', everything)
    const texts = refused.map(({ value }) => Buffer.from(value ?? []).toString())
    const messages = expected.get(`numbers/t/${partition}/numbers`) ?? []
    expect(texts, `seed ${seed}, refused`).toEqual(messages.filter(isRefused).map(({ text }) => text))
  }
}
