import { filter, map, merge, type Observable, share } from 'rxjs'
import { expect, test } from 'vitest'
import { eventTime } from '../../src/operators/eventTime.ts'
import { Hole } from '../../src/operators/holes.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import type { WindowElement } from '../../src/operators/window.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'

/** A value is its event time; a hole says from when to when. */
type Event =
  | number
  | {
      readonly from: number
      readonly to: number
      readonly isOver?: boolean
      readonly key?: string
      readonly id?: string
    }

const chain = (values: Observable<Event>) => windowsOf(values, 0)

const windowsOf = (values: Observable<Event>, allowedLatenessMs: number) => {
  const events = values.pipe(
    eventTime({
      of: (event) => (typeof event === 'number' ? event : event.from),
      isOfThePast: (event) => typeof event !== 'number',
      maxOutOfOrdernessMs: 0,
    }),
    share(),
  )
  const holes = events.pipe(
    filter((event) => typeof event !== 'number'),
    map(({ from, to, isOver = false, key = 'k', id = '1' }) => new Hole({ key, id, from, to, isOver })),
  )
  const numbers = events.pipe(filter((event) => typeof event === 'number'))
  return merge(holes, numbers).pipe(
    tumblingWindow({ name: 'w', sizeMs: 100, by: () => 'k', allowedLatenessMs, takesHoles: true }),
  )
}

function told(elements: readonly unknown[]): string[] {
  return (elements as WindowElement<number>[]).map((element) => {
    if (element.kind === 'value') return `${element.value} in ${element.window.start}`
    return element.kind === 'fired'
      ? `fire ${element.window.start} r${element.revision}`
      : `${element.kind} ${element.window.start}`
  })
}

test('windows under a hole take what comes, however late, until it is over', () => {
  const run = new ChainTask<Event>(chain).push(0, { from: 50, to: 150 }, 250, 60, 110)
  expect(told(run.out).slice(1)).toEqual([
    '250 in 200',
    'fire 0 r1',
    '60 in 0',
    'fire 0 r2',
    '110 in 100',
    'fire 100 r1',
  ])
  run.push({ from: 50, to: 150, isOver: true }, 70)
  expect(told(run.out).slice(7)).toEqual(['over 0', 'over 100'])
  expect(run.cut().deadLetters).toMatchObject([{ reason: 'late' }])
})

test('a window that opens late, and whose hole is over before time goes on, is over once, and so is the one that is open then', () => {
  const run = new ChainTask<Event>(chain).push(0, { from: 150, to: 190 }, 350, 160)
  run.push({ from: 150, to: 190, isOver: true }, 360, 420, 530)
  expect(told(run.out).slice(4)).toEqual([
    ...['160 in 100', 'fire 100 r1', 'over 100', '360 in 300'],
    ...['420 in 400', 'fire 300 r1', 'over 300', '530 in 500', 'fire 400 r1', 'over 400'],
  ])
})

test('a window that was kept by a hole alone is over once, though the next start allows more lateness', () => {
  const saved = savedFrom(new ChainTask<Event>(chain).push(0, { from: 50, to: 90 }, 350).cut())
  const after = new ChainTask<Event>((values) => windowsOf(values, 1_000), saved)
  after.push({ from: 50, to: 90, isOver: true }, 1_250, 1_260)
  expect(told(after.out)).toEqual(['over 0', '1250 in 1200', 'fire 300 r1', '1260 in 1200'])
})

test('a hole that is told again keeps what it has held, though time has gone on', () => {
  const run = new ChainTask<Event>(chain).push(0, { from: 50, to: 500 }, 250, { from: 50, to: 220 }, 60)
  expect(told(run.out).slice(-2)).toEqual(['60 in 0', 'fire 0 r2'])
  const after = new ChainTask<Event>(chain, savedFrom(run.cut())).push(70)
  expect(told(after.out)).toEqual(['70 in 0', 'fire 0 r3'])
})

test('a hole that is told again and reaches less far lets go of the windows beyond', () => {
  const run = new ChainTask<Event>(chain).push(0, { from: 50, to: 500 }, 150, 350)
  expect(told(run.out).filter((one) => one.startsWith('over'))).toEqual([])
  run.push({ from: 50, to: 90 })
  expect(told(run.out).slice(-1)).toEqual(['over 100'])
  run.push(60, 160)
  expect(told(run.out).slice(-2)).toEqual(['60 in 0', 'fire 0 r2'])
  expect(run.cut().deadLetters).toMatchObject([{ reason: 'late' }])
})

test('a hole is another than one whose id and key come to the same text', () => {
  const own: Event = { from: 50, to: 150, key: 'k', id: '1 2' }
  const other: Event = { from: 50, to: 150, key: '2 k', id: '1' }
  const saved = savedFrom(new ChainTask<Event>(chain).push(0, own, other, 250).cut())
  const run = new ChainTask<Event>(chain, saved).push({ ...other, isOver: true }, 60)
  expect(told(run.out)).toEqual(['60 in 0', 'fire 0 r2'])
  run.push({ ...own, isOver: true })
  expect(told(run.out).slice(2)).toEqual(['over 0'])
})

test('a hole that was saved under an older name is closed by its end', () => {
  const saved = new ChainTask<Event>(chain).push(0, { from: 50, to: 150 }, 250).cut()
  const body = saved.state.body.replace('"1:1k"', '"1 k"')
  expect(body).not.toBe(saved.state.body)
  const after = new ChainTask<Event>(chain, savedFrom({ ...saved, state: { ...saved.state, body } }))
  after.push(60, { from: 50, to: 150, isOver: true }, 70)
  expect(told(after.out)).toEqual(['60 in 0', 'fire 0 r2', 'over 0'])
  expect(after.cut().deadLetters).toMatchObject([{ reason: 'late' }])
})
