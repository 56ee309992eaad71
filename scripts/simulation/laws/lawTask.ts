import { type OperatorFunction, tap } from 'rxjs'
import { decode } from '../../../src/operators/decode.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { framesOf, keptFrames } from '../../../src/runtime/state/frameChain.ts'
import type { SavedCheckpoint } from '../../../src/runtime/store/checkpoint.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import type { TaskCut } from '../../../src/runtime/task/taskCut.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { type LawEvent, type LawValue, lateText, type Row } from './law.ts'

const events = decode<LawEvent>({ decode: (record) => JSON.parse(record.valueText() ?? 'null') as LawEvent })
const rows: AppendTable<Row> = {
  name: 'rows',
  mode: 'append',
  columns: [{ name: 'row', type: 'text', of: (row) => JSON.stringify(row) }],
}

/** A task of one operator, which can be cut, thrown away and restored. */
export class LawTask {
  readonly rows: Row[] = []
  readonly late: string[] = []
  readonly #chain: OperatorFunction<LawEvent, Row>
  #task: StreamTask
  #cuts: TaskCut[] = []
  #offset = 0
  /** How many rows and letters the last cut had. */
  #committed = { rows: 0, offset: 0 }

  constructor(chain: OperatorFunction<LawEvent, Row>) {
    this.#chain = chain
    this.#task = this.#start(null)
  }

  push(event: LawEvent): void {
    const view = new RecordView()
    view.buffer = Buffer.from(JSON.stringify(event))
    view.valueLength = view.buffer.length
    view.offset = this.#offset
    this.#offset += 1
    this.#task.push(view)
  }

  close(): void {
    this.#task.closeOpen()
    this.cut()
  }

  cut(): void {
    const cut = this.#task.cut({ now: 0, isFinal: false })
    this.#cuts.push(cut)
    for (const { reason, payload } of cut.deadLetters) {
      this.late.push(lateText(reason, JSON.parse(String(payload)) as LawValue))
    }
    this.#committed = { rows: this.rows.length, offset: this.#offset }
  }

  /** Throws away what has been done since the last cut, and restores it; gives the offset to go on at. */
  crash(): number {
    const { rows: kept, offset } = this.#committed
    this.rows.length = kept
    this.#offset = offset
    this.#task = this.#start(savedFrom(this.#cuts))
    return offset
  }

  /** How many keys the operators keep, without the one that moves time. */
  get kept(): number {
    return this.#task.operatorStatus().reduce((sum, { keyCount }) => sum + keyCount, 0)
  }

  #start(saved: SavedCheckpoint | null): StreamTask {
    const pipeline = definePipeline({
      name: 'law',
      build: (records) => ({
        rows: toPostgres(
          records.pipe(
            events,
            this.#chain,
            tap((row) => this.rows.push(row)),
          ),
          rows,
        ),
      }),
    })
    return new StreamTask(pipeline, saved, 0)
  }
}

/** What a store would give back after these cuts. */
function savedFrom(cuts: readonly TaskCut[]): SavedCheckpoint | null {
  const last = cuts.at(-1)
  if (last === undefined) return null
  return {
    nextOffset: last.nextOffset,
    watermark: last.watermark,
    archiveNextOffset: null,
    state: keptFrames([], cuts.flatMap(framesOf)),
  }
}
