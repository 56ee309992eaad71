import type { TaskId } from '../../runtime/store/checkpoint.ts'
import { quoteElement, type Step, statementName } from './tableWriter.ts'

const names = new Map<string, string>()

/** A statement that the server plans once a connection. */
export function prepared(text: string, values: readonly unknown[]) {
  let name = names.get(text)
  if (name === undefined) {
    name = statementName(text)
    names.set(text, name)
  }
  return { name, text, values: [...values] }
}

export function run(text: string, values: readonly unknown[]): Step {
  const statement = prepared(text, values)
  return (client) => client.query(statement)
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
