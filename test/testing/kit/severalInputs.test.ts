import { map, merge, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { orNull } from '../../../src/codecs/orNull.ts'
import { topic } from '../../../src/codecs/topic.ts'
import type { TwoWayCodec } from '../../../src/codecs/twoWayCodec.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { Rejection } from '../../../src/runtime/log/codec.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import type { MessagesOutlet, MessageTarget } from '../../../src/runtime/pipeline/outlet.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'

const Reading = z.object({ sensor: z.string(), at: z.number() })
type Reading = z.infer<typeof Reading>
const readings = jsonCodec(Reading)

/** Writes `sensor|at`, which nobody would guess. */
const terse: TwoWayCodec<Reading> = {
  decode(record) {
    const [sensor, at] = record.valueText()?.split('|') ?? []
    return sensor === undefined || at === undefined ? new Rejection('not-terse', 'no |') : { sensor, at: Number(at) }
  },
  encode: ({ sensor, at }) => Buffer.from(`${sensor}|${at}`),
}

const inputs = {
  inside: topic('inside', { value: readings }),
  outside: { topic: 'outside', codec: orNull(terse) },
  raw: { topic: 'raw' },
}

const lines: AppendTable<string> = {
  mode: 'append',
  name: 'lines',
  columns: [{ name: 'line', type: 'text', of: (line) => line }],
}

/** Numbers values over all inputs; where it is forgetful, in a closure that no checkpoint knows. */
const numbered = (isForgetful = false) =>
  stateful<string, string>({ name: 'numbered' }, (restored, out) => {
    let count = isForgetful ? 0 : ((restored.snapshot ?? 0) as number)
    return {
      onValue(text) {
        count += 1
        out.emit(`${count} ${text}`)
      },
      snapshot: () => count,
    }
  })

const textOf = (reading: Reading | null) => (reading === null ? 'tombstone' : `${reading.sensor}@${reading.at}`)

/** What comes from all inputs, in its order. */
const seen = (isForgetful = false, onValue: (text: string) => string = (text) => text) =>
  definePipeline({
    name: 'seen',
    inputs,
    build: ({ inside, outside, raw }) => ({
      lines: toPostgres(
        merge(
          inside.pipe(map(textOf)),
          outside.pipe(map(textOf)),
          raw.pipe(map((record) => record.valueText() ?? 'null')),
        ).pipe(map(onValue), numbered(isForgetful)),
        lines,
      ),
    }),
  })

const reading = (sensor: string, at = 0): Reading => ({ sensor, at })

describe('testPipeline with several inputs', () => {
  it('pushes values as the codec of the input writes them, and anything else as bytes, in the order of the test', () => {
    const run = testPipeline(seen())
    run.pushValues('inside', reading('a', 1))
    run.pushValues('outside', reading('b', 2), null)
    run.pushValues('raw', { any: 'thing' }, 'text')
    run.push('inside', { value: reading('c', 3), key: 'c' }, { value: '{"sensor":"d","at":4}' })
    expect(run.rows('lines')).toEqual([
      '1 a@1',
      '2 b@2',
      '3 tombstone',
      '4 {"any":"thing"}',
      '5 text',
      '6 c@3',
      '7 d@4',
    ])
    run.finish()
  })

  it('counts offsets by input, and says in which input a dead letter stands', () => {
    const run = testPipeline(seen())
    run.pushValues('inside', reading('a'), reading('b'))
    run.push('outside', { value: 'no reading' })
    expect(() => run.finish()).toThrow(/letter +outside offset 0, decode outside: not-terse/)
    expect(run.deadLetters().map(({ input, offset }) => [input, offset])).toEqual([[1, 0]])
    run.finish()
  })

  it('restores all of them, at every rate and from crashes after any record', () => {
    for (const restoreEvery of [1, 2, 3, 7]) {
      const run = testPipeline(seen(), { restoreEvery, crashAt: [0, 2, 3, 5] })
      for (let i = 0; i < 3; i++) {
        run.pushValues('outside', reading('o', i))
        run.pushValues('inside', reading('i', i))
      }
      expect(run.rows('lines')).toEqual(['1 o@0', '2 i@0', '3 o@1', '4 i@1', '5 o@2', '6 i@2'])
      run.finish()
    }
  })

  it('finds what is not saved, and which crash was never reached', () => {
    const forgetful = testPipeline(seen(true))
    forgetful.pushValues('inside', reading('a'))
    forgetful.pushValues('outside', reading('b'))
    expect(() => forgetful.finish()).toThrow(
      /lines: only when restored: line=1 b@0[\s\S]*only uninterrupted: line=2 b@0/,
    )
    const short = testPipeline(seen(), { crashAt: [1] })
    short.pushValues('inside', reading('a'))
    expect(() => short.finish()).toThrow(/crash +after record 1 was never reached: 1 records were pushed/)
  })

  it('leaves out the one value that a step fails on, not what stands at the same offset of another input', () => {
    const failing = seen(false, (text) => {
      if (text === 'bad@0') throw new RangeError('bad')
      return text
    })
    const run = testPipeline(failing, { restoreEvery: 4 })
    run.pushValues('inside', reading('a'))
    run.pushValues('outside', reading('bad'), reading('b', 1))
    run.pushValues('raw', 'c')
    expect(run.rows('lines')).toEqual(['1 a@0', '2 b@1', '3 c'])
    expect(run.deadLetters().map(({ input, offset, reason }) => [input, offset, reason])).toEqual([[1, 0, 'failed']])
    run.finish()
  })

  it('refuses an input that is not there', () => {
    const run = testPipeline(seen())
    // @ts-expect-error no such input
    expect(() => run.pushValues('beside', reading('a'))).toThrow(/has no input beside; it has inside, outside, raw/)
    // @ts-expect-error no such input
    expect(() => run.push('beside', { value: 1 })).toThrow(ConfigurationError)
  })
})

describe('time of several inputs', () => {
  const counted = (name: string) => (source: Observable<Reading>) =>
    source.pipe(
      eventTime({ name: `time ${name}`, of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
      tumblingWindow({ name: `window ${name}`, sizeMs: 10, by: () => name }),
      aggregateWindow({
        name: `count ${name}`,
        initial: () => 0,
        add: (count) => count + 1,
        result: (count, { start }) => {
          if (count > 2) throw new RangeError('too many')
          return `${name} ${start} ${count}`
        },
      }),
    )
  const both = definePipeline({
    name: 'both',
    inputs: { a: topic('a', { value: readings }), b: topic('b', { value: readings }) },
    build: ({ a, b }) => ({ lines: toPostgres(merge(a.pipe(counted('a')), b.pipe(counted('b'))), lines) }),
  })

  it('is the least of them, and advanceTo moves the one that is named, or all', () => {
    const run = testPipeline(both)
    run.pushValues('a', reading('x', 1), reading('x', 25))
    expect(run.watermark).toBeNull()
    run.pushValues('b', reading('x', 12))
    expect(run.rows('lines')).toEqual(['a 0 1'])
    run.advanceTo(19, 'time b')
    expect([run.watermark, run.rows('lines')]).toEqual([19, ['a 0 1', 'b 10 1']])
    run.advanceTo(40)
    expect([run.watermark, run.rows('lines').at(-1)]).toEqual([40, 'a 20 1'])
    run.finish()
  })

  it('goes on at the last record of its input after a restore, so that what fires there is set aside there', () => {
    const run = testPipeline(both)
    run.pushValues('a', reading('x', 1))
    run.pushValues('b', reading('x', 1), reading('x', 2), reading('x', 3))
    run.advanceTo(9)
    expect(run.deadLetters().map(({ input, offset, operator }) => [input, offset, operator])).toEqual([
      [1, 2, 'count b'],
    ])
    run.finish()
  })
})

describe('messages', () => {
  const alarms = topic('alarms', { value: jsonCodec(z.object({ sensor: z.string() })) })

  function alarming(to: MessageTarget, isForgetful = false) {
    let made = 0
    return definePipeline({
      name: 'alarming',
      inputs: { inside: inputs.inside },
      build: ({ inside }) => {
        const outlet: MessagesOutlet<{ readonly sensor: string }> = {
          kind: 'messages',
          values: inside,
          encode: ({ sensor, at }: Reading) => {
            made += 1
            if (sensor === 'bad') throw new RangeError('no alarm')
            const headers = isForgetful ? [{ key: 'made', value: Buffer.from(String(made)) }] : []
            const value = sensor === 'gone' ? null : alarms.value.encode({ sensor })
            return { time: at, key: Buffer.from(sensor), value: sensor === 'odd' ? Buffer.from('{}') : value, headers }
          },
          to,
        }
        return { alarms: outlet, lines: toPostgres(inside.pipe(map(textOf)), lines) }
      },
    })
  }
  const toAlarms: MessageTarget = { kind: 'topic', topic: alarms.name, codecs: alarms }

  it('come numbered, with their bytes and with what the codec of the topic reads of them', () => {
    const run = testPipeline(alarming(toAlarms), { crashAt: [1] })
    run.pushValues('inside', reading('a', 5), reading('bad', 6), reading('b', 7))
    const messages = run.messages('alarms')
    expect(messages.map(({ sequence, time, decoded }) => [sequence, time, decoded])).toEqual([
      [1, 5, { sensor: 'a' }],
      [2, 7, { sensor: 'b' }],
    ])
    expect(messages[0]?.key).toEqual(Buffer.from('a'))
    expect(messages[0]?.value).toEqual(Buffer.from('{"sensor":"a"}'))
    expect(run.rows('lines')).toHaveLength(3)
    expect(run.deadLetters().map(({ operator, reason }) => [operator, reason])).toEqual([
      ['outlet alarms', 'bad-message'],
    ])
    run.finish()
  })

  it('of a topic that is only a name, or of a destination, are bytes alone', () => {
    for (const to of [
      { kind: 'topic', topic: 'alarms' },
      { kind: 'destination', name: 'pager', open: () => expect.unreachable() },
    ] as const) {
      const run = testPipeline(alarming(to))
      run.pushValues('inside', reading('a'))
      expect(run.messages('alarms').map(({ decoded, value }) => [decoded, String(value)])).toEqual([
        [undefined, '{"sensor":"a"}'],
      ])
      run.finish()
    }
  })

  it('that the topic could not be read by end the test', () => {
    const run = testPipeline(alarming(toAlarms))
    run.pushValues('inside', reading('a'), reading('odd'))
    expect(() => run.messages('alarms')).toThrow(/codec of topic alarms cannot read its message 2: malformed/)
    const tombstone = testPipeline(alarming(toAlarms))
    tombstone.pushValues('inside', reading('gone'))
    expect(() => tombstone.messages('alarms')).toThrow(/message 1: no-value/)
  })

  it('are compared with those of the run that was never interrupted', () => {
    const run = testPipeline(alarming(toAlarms, true))
    run.pushValues('inside', reading('a'))
    expect(() => run.finish()).toThrow(
      /differs +alarms: only when restored: #1 time=0 key="a" value="\{\\"sensor\\":\\"a\\"\}" made="2"[\s\S]*made="1"/,
    )
  })

  it('and rows are asked for by outlets that have them', () => {
    const run = testPipeline(alarming(toAlarms))
    expect(() => run.messages('lines')).toThrow(/no outlet lines of messages; outlets of messages are: alarms/)
    expect(() => run.rows('alarms')).toThrow(/no outlet alarms of rows; outlets of rows are: lines/)
  })
})
