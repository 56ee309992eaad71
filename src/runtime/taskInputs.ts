import { Observable, type Subscriber, share } from 'rxjs'
import type { Codec } from './codec.ts'
import { decoding } from './decoding.ts'
import { ConfigurationError } from './errors.ts'
import type { ResolvedInput } from './input.ts'
import { NamedObservable, type ObservableName } from './namedObservable.ts'
import type { RecordView } from './record.ts'

/** The inputs of one task: who is subscribed to their records, and how far they have come. */
export class TaskInputs {
  /** What `build` gets, by the names of the inputs. */
  readonly streams: ReadonlyMap<string, Observable<unknown>>
  /** The next offset of each. */
  readonly nextOffsets: number[]
  /** Whether a codec of any of them has to be prepared. */
  readonly needsPrepare: boolean
  readonly #codecs: readonly (Codec<unknown> | null)[]
  /** Who is subscribed to the records of each. Replaced and never changed, so a record goes to those who were there when its push began. */
  readonly #readers: (readonly Subscriber<RecordView>[])[]

  constructor(inputs: readonly ResolvedInput[], nextOffsets: readonly number[]) {
    if (inputs.length !== nextOffsets.length) {
      throw new ConfigurationError(`${inputs.length} inputs have ${nextOffsets.length} places to go on from`)
    }
    this.nextOffsets = [...nextOffsets]
    this.#codecs = inputs.map(({ codec }) => codec)
    this.needsPrepare = this.#codecs.some((codec) => codec?.prepare !== undefined)
    this.#readers = inputs.map(() => [])
    this.streams = new Map(inputs.map((input, i) => [input.name, this.#streamOf(input, i)]))
  }

  /** Has the codec of the input fetch what it needs for the record; undefined where nothing is to be waited for. */
  prepare(input: number, record: RecordView): Promise<void> | undefined {
    return this.#codecs[input]?.prepare?.(record)
  }

  push(input: number, record: RecordView): void {
    for (const reader of this.#readers[input] as readonly Subscriber<RecordView>[]) reader.next(record)
  }

  /** The input whose stream this is, or -1. */
  indexOf(stream: Observable<unknown>): number {
    return [...this.streams.values()].indexOf(stream)
  }

  #streamOf(resolved: ResolvedInput, input: number): Observable<unknown> {
    const { name, codec } = resolved
    const records = new NamedObservable<RecordView>(inputNode(resolved), (subscriber) =>
      this.#records(input).subscribe(subscriber),
    )
    return codec === null ? records : records.pipe(decoding(codec, { name: `decode ${name}` }), share())
  }

  #records(input: number): Observable<RecordView> {
    const readers = this.#readers
    return new Observable((reader) => {
      readers[input] = [...(readers[input] ?? []), reader]
      return () => {
        readers[input] = (readers[input] ?? []).filter((one) => one !== reader)
      }
    })
  }
}

/** What an input is in the graph. */
export function inputNode({ name, topic, movesTime }: ResolvedInput): ObservableName & { readonly kind: 'input' } {
  return { kind: 'input', name, ...(topic === null ? {} : { topic }), ...(movesTime ? {} : { movesTime }) }
}
