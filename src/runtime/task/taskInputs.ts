import { Observable, type Subscriber } from 'rxjs'
import { ConfigurationError } from '../errors.ts'
import { NamedObservable, type ObservableName } from '../graph/namedObservable.ts'
import type { Codec } from '../log/codec.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordView } from '../log/record.ts'
import { decoding } from '../operator/decoding.ts'
import { OperatorNode } from '../operator/operatorNode.ts'
import type { ResolvedInput } from '../pipeline/input.ts'
import { shared } from '../spans/shared.ts'
import type { Span } from '../spans/span.ts'

/** The inputs of one task: who is subscribed to their records, and how far they have come. */
export class TaskInputs {
  /** What `build` gets, by the names of the inputs. */
  readonly streams: ReadonlyMap<string, Observable<unknown>>
  /** The next offset of each. */
  readonly nextOffsets: number[]
  /** Whether a codec of any of them has to be prepared. */
  readonly needsPrepare: boolean
  /** Those that are partitions of one input have the same name. */
  readonly #names: readonly string[]
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
    this.#names = inputs.map(({ name }) => name)
    const first = inputs.filter(({ name }, i) => this.#names.indexOf(name) === i)
    this.streams = new Map(first.map((input) => [input.name, this.#streamOf(input)]))
  }

  /** Has the codec of the input fetch what it needs for the record; undefined where nothing is to be waited for. */
  prepare(input: number, record: RecordView): Promise<void> | undefined {
    return this.#codecs[input]?.prepare?.(record)
  }

  push(input: number, record: RecordView): void {
    for (const reader of this.#readers[input] as readonly Subscriber<RecordView>[]) reader.next(record)
  }

  /** The same of the record at hand of those that were read ahead. */
  pushAhead(input: number, ahead: ReadAhead): void {
    const { view } = ahead
    for (const reader of this.#readers[input] as readonly Subscriber<RecordView>[]) {
      if (!readsAhead(reader)) ahead.show()
      reader.next(view)
    }
  }

  /** What `look` of all who read the input says of records that were read ahead. */
  look(input: number, span: Span<RecordView>, to: number): number {
    let quiet = to
    for (const reader of this.#readers[input] as readonly Subscriber<RecordView>[])
      quiet = readsAhead(reader) ? reader.look(span, quiet) : span.recordBehind(0, quiet)
    return quiet
  }

  /** Has all who read the input take the records before `to`. */
  take(input: number, span: Span<RecordView>, to: number): void {
    for (const reader of this.#readers[input] as readonly Subscriber<RecordView>[])
      if (readsAhead(reader)) reader.take(span, to)
  }

  /** The input whose stream this is, the first of several; or -1. */
  indexOf(stream: Observable<unknown>): number {
    const [name] = [...this.streams].find(([, one]) => one === stream) ?? []
    return name === undefined ? -1 : this.#names.indexOf(name)
  }

  #streamOf(resolved: ResolvedInput): Observable<unknown> {
    const { name, codec } = resolved
    const records = new NamedObservable<RecordView>(inputNode(resolved), (subscriber) =>
      this.#records(name).subscribe(subscriber),
    )
    return codec === null ? records : records.pipe(decoding(codec, { name: `decode ${name}` }), shared)
  }

  #records(name: string): Observable<RecordView> {
    const readers = this.#readers
    const own = [...this.#names.keys()].filter((input) => this.#names[input] === name)
    return new Observable((reader) => {
      for (const input of own) readers[input] = [...(readers[input] ?? []), reader]
      return () => {
        for (const input of own) readers[input] = (readers[input] ?? []).filter((one) => one !== reader)
      }
    })
  }
}

function readsAhead(reader: Subscriber<RecordView>): reader is OperatorNode<RecordView, unknown> {
  return reader instanceof OperatorNode && reader.spec.readsAhead === true
}

/** What an input is in the graph. */
export function inputNode({ name, topic, movesTime }: ResolvedInput): ObservableName & { readonly kind: 'input' } {
  return { kind: 'input', name, ...(topic === null ? {} : { topic }), ...(movesTime ? {} : { movesTime }) }
}
