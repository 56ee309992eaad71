import type { AnswerReader } from './answerReader.ts'
import type { RequestWriter } from './requestWriter.ts'

/** One kind of request in one version, with how it is written and how its answer is read. */
export interface Exchange<Question, Answer> {
  readonly key: number
  readonly version: number
  /** Whether tagged fields end the header of the request, and that of the answer: those of a flexible version do, but for the answer of `apiVersions`. */
  readonly tagged: { readonly request: boolean; readonly answer: boolean }
  write(writer: RequestWriter, question: Question): void
  /** Throws a `Refusal` where the broker has refused all or a part of it. */
  read(reader: AnswerReader): Answer
}

/** Of a flexible version. */
export const flexible = { request: true, answer: true } as const
