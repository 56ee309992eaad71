import type { TaskId } from '../../runtime/store/checkpoint.ts'
import type { Parameter, Statement } from './execute.ts'
import type { StatementStep } from './step.ts'
import { quoteElement, statementName } from './tableWriter.ts'

const names = new Map<string, string>()

/** A statement that the server plans once a connection, for whoever reads its rows. */
export function prepared(text: string, values: readonly unknown[]) {
  return { name: nameOf(text), text, values: [...values] }
}

/** The same for one that is run for what it does (`execute`). */
export function toRun(text: string, values: readonly Parameter[]): Statement {
  return { name: nameOf(text), text, values }
}

/** One that sends little, unless it is told how much. */
export function run(text: string, values: readonly Parameter[], bytes = 0): StatementStep {
  const statement = toRun(text, values)
  return { bytes, statement: () => statement }
}

function nameOf(text: string): string {
  let name = names.get(text)
  if (name === undefined) {
    name = statementName(text)
    names.set(text, name)
  }
  return name
}

/** The columns that every table of a task begins with. */
export function idOf(task: TaskId): [string, string, number] {
  return [task.pipeline, task.topic, task.partition]
}

export function byteaText(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : `\\x${Buffer.from(bytes).toString('hex')}`
}

/** An element of an array literal. */
export function arrayElement(text: string | null): string {
  return text === null ? 'NULL' : quoteElement(text)
}
