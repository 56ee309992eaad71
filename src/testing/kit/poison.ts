/** Globals that make a result depend on something other than the records. */
const poisonedFunctions = [
  [Math, 'random', 'Math.random'],
  [performance, 'now', 'performance.now'],
  [crypto, 'randomUUID', 'crypto.randomUUID'],
  [globalThis, 'setTimeout', 'setTimeout'],
  [globalThis, 'setInterval', 'setInterval'],
  [globalThis, 'setImmediate', 'setImmediate'],
] as const

let innermost: string | null = null

/** Something in the graph has asked for what a replay cannot repeat. */
export class Poisoned extends Error {}

/** Runs `act` with the operator's name known to the poison. */
export function inOperator<T>(name: string, act: () => T): T {
  const before = innermost
  innermost = name
  try {
    return act()
  } finally {
    innermost = before
  }
}

/**
 * Runs `act` while the wall clock, chance and timers throw an error that says who asked for them. Exact, because a task is
 * synchronous: nothing else runs meanwhile, and everything is as before when it returns.
 */
export function withPoison<T>(act: () => T): T {
  const restore: (() => void)[] = []
  for (const [owner, property, name] of poisonedFunctions) {
    const original = Object.getOwnPropertyDescriptor(owner, property)
    Object.defineProperty(owner, property, { configurable: true, writable: true, value: () => refuse(name) })
    restore.push(() => {
      if (original === undefined) Reflect.deleteProperty(owner, property)
      else Object.defineProperty(owner, property, original)
    })
  }
  const TrueDate = globalThis.Date
  globalThis.Date = poisonedDate(TrueDate)
  restore.push(() => {
    globalThis.Date = TrueDate
  })
  try {
    return act()
  } finally {
    for (const undo of restore.reverse()) undo()
  }
}

/** A date that can be made of a given time, but not of now. */
function poisonedDate(TrueDate: DateConstructor): DateConstructor {
  return new Proxy(TrueDate, {
    construct: (target, values, newTarget) =>
      values.length === 0 ? refuse('new Date()') : Reflect.construct(target, values, newTarget),
    apply: () => refuse('Date()'),
    get: (target, property) => (property === 'now' ? () => refuse('Date.now') : Reflect.get(target, property)),
  })
}

function refuse(name: string): never {
  const who =
    innermost === null
      ? 'the pipeline, before its first stateful operator,'
      : `operator ${innermost}, or a function right below it,`
  throw new Poisoned(
    `${who} asked for ${name} while a record was pushed (${callSite()}). A replay would give another result: take the time ` +
      'from the record (eventTime), and let chance and timers be decided by records.',
  )
}

function callSite(): string {
  const lines = new Error('asked').stack?.split('\n') ?? []
  const outside = lines.slice(1).find((line) => !/[/\\]poison\.[jt]s/.test(line) && !line.includes('node_modules'))
  return outside?.trim() ?? 'unknown place'
}
