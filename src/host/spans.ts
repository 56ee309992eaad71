import type { Attributes, Span, Tracer } from '@opentelemetry/api'

/** Where the API keeps what an SDK has registered: without it there is nobody to tell, and nothing is loaded. */
const registry = Symbol.for('opentelemetry.js.api.1')

interface Registered {
  readonly version?: string
  readonly trace?: unknown
}

type Api = typeof import('@opentelemetry/api')

/** What a span is of, in the words of the semantic conventions. */
export interface SpanFacts {
  readonly name: string
  readonly kind: 'consumer' | 'producer' | 'client' | 'internal'
  readonly attributes: Attributes
  /** ms UTC; now if left out. */
  readonly startTime?: number
}

/** Makes spans for whoever has registered an SDK of OpenTelemetry in this process. */
export class Spans {
  readonly #api: Api
  readonly #tracer: Tracer

  private constructor(api: Api) {
    this.#api = api
    this.#tracer = api.trace.getTracer('millrace')
  }

  /** Null where no SDK that makes spans is registered by now. Warns where one is, and by a copy of the API that does not reach this one. */
  static async find(): Promise<Spans | null> {
    const registered: Registered | undefined = Reflect.get(globalThis, registry)
    if (registered?.trace === undefined) return null
    const api = await import('@opentelemetry/api')
    if (api.trace.getTracerProvider() === registered.trace) return new Spans(api)
    process.emitWarning(
      `an SDK of OpenTelemetry is registered with @opentelemetry/api ${registered.version ?? 'of another version'}, and Millrace has loaded another copy, so it makes no spans: ` +
        'have one for both (npm ls @opentelemetry/api).',
      { code: 'MILLRACE_SPANS' },
    )
    return null
  }

  /**
   * Runs `work` within a span, which is above those that are made in it, and which has its failure.
   * @param told what is known only at the end
   */
  async during<T>(facts: SpanFacts, work: () => Promise<T>, told: (result: T) => Attributes = () => ({})): Promise<T> {
    const { context, trace } = this.#api
    const span = this.#start(facts)
    try {
      const result = await context.with(trace.setSpan(context.active(), span), work)
      span.setAttributes(told(result))
      return result
    } catch (error) {
      this.#failed(span, error)
      throw error
    } finally {
      span.end()
    }
  }

  /** A span of what is over. */
  past(facts: SpanFacts & { readonly startTime: number }): void {
    this.#start(facts).end()
  }

  #start({ name, kind, attributes, startTime }: SpanFacts): Span {
    const { SpanKind } = this.#api
    const kinds = {
      consumer: SpanKind.CONSUMER,
      producer: SpanKind.PRODUCER,
      client: SpanKind.CLIENT,
      internal: SpanKind.INTERNAL,
    }
    return this.#tracer.startSpan(name, {
      kind: kinds[kind],
      attributes,
      ...(startTime === undefined ? {} : { startTime }),
    })
  }

  #failed(span: Span, error: unknown): void {
    const { name, message } = error instanceof Error ? error : new Error(String(error))
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : name
    span.setAttribute('error.type', code)
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message })
  }
}
