import type { z } from 'zod'
import type { DataSets } from './dataSets.ts'
import type { PipelineView } from './pipelineView.ts'

/** What routes work with. */
export interface RouteContext {
  readonly dataSets: DataSets
  readonly version: string
  readonly now: () => number
  /** How all pipelines are doing now. */
  readonly pipelines: () => Promise<readonly PipelineView[]>
  /** Appends dead letters to their topics again. */
  readonly redrive: Redrive
}

/** What was redriven of one schema. */
export interface Redriven {
  readonly redriven: number
  readonly recovered: number
  readonly skipped: readonly { readonly id: string; readonly why: string }[]
}

/** Which letters: by their ids, or all that wait of a reason. */
export type RedriveWish =
  | { readonly ids: readonly string[] }
  | {
      readonly pipeline: string | null
      readonly topic: string | null
      readonly operator: string | null
      readonly reason: string | null
    }

export type Redrive = (schema: string, wish: RedriveWish) => Promise<Redriven>

/** Something other than JSON. */
export interface TextAnswer {
  readonly type: string
  readonly fileName: string
  readonly text: string
}

/** One thing that the console can be asked. The same table checks requests, and is its OpenAPI. */
export interface Route<P extends string, Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType> {
  readonly method: 'GET' | 'POST'
  /** Below the address of the console, without a slash before it. */
  readonly path: P
  readonly summary: string
  readonly query: Q
  /** Null where there is none. */
  readonly body: B | null
  readonly answer: A
  /** Also given as text, where the query asks for it. */
  readonly alsoText?: string
  handle(
    context: RouteContext,
    asked: { readonly query: z.infer<Q>; readonly body: z.infer<B> },
  ): Promise<z.infer<A> | TextAnswer>
}

export type AnyRoute = Route<string, z.ZodObject, z.ZodType, z.ZodType>

export function route<P extends string, Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType>(
  definition: Route<P, Q, B, A>,
): Route<P, Q, B, A> {
  return definition
}

/** What is told in place of an answer. */
export class RouteError extends Error {
  readonly status: 400 | 404 | 409
  constructor(status: 400 | 404 | 409, message: string) {
    super(message)
    this.name = 'RouteError'
    this.status = status
  }
}

export function isTextAnswer(answer: unknown): answer is TextAnswer {
  return typeof answer === 'object' && answer !== null && 'fileName' in answer && 'text' in answer
}
