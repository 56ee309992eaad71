import type { AnswerReader } from './answerReader.ts'
import { Refusals } from './refusal.ts'

/** Reads an answer that has an error code for each partition and nothing else. Throws what it refuses. */
export function requireAllPartitions(reader: AnswerReader): void {
  const refusals = new Refusals()
  reader.int32()
  reader.list(() => {
    reader.text()
    reader.list(() => {
      reader.int32()
      refusals.note(reader.int16())
      reader.end()
    })
    reader.end()
  })
  reader.end()
  refusals.check()
}
