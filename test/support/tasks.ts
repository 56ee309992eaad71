import type { Observable } from 'rxjs'
import { map } from 'rxjs'
import { decode } from '../../src/operators/decode.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import { definePipeline, type PipelineOptions } from '../../src/runtime/pipeline/pipeline.ts'
import { framesOf, keptFrames } from '../../src/runtime/state/frameChain.ts'
import type { SavedCheckpoint } from '../../src/runtime/store/checkpoint.ts'
import type { AppendTable } from '../../src/runtime/store/table.ts'
import { StreamTask } from '../../src/runtime/task/streamTask.ts'
import type { TaskCut } from '../../src/runtime/task/taskCut.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'

const anything: AppendTable<unknown> = {
  mode: 'append',
  name: 'results',
  columns: [{ name: 'result', type: 'jsonb', of: (row) => JSON.stringify(row) }],
}

/** A task around one chain over JSON values, with what it emitted. */
export class ChainTask<T> {
  readonly task: StreamTask
  readonly out: unknown[] = []
  #offset: number

  constructor(
    chain: (values: Observable<T>) => Observable<unknown>,
    saved: SavedCheckpoint | null = null,
    options: Partial<PipelineOptions> = {},
  ) {
    const pipeline = definePipeline({
      name: 'test',
      ...options,
      build: (records) => ({
        results: toPostgres(
          chain(records.pipe(decode<T>({ decode: (record) => JSON.parse(record.valueText() ?? 'null') as T }))).pipe(
            map((result) => {
              this.out.push(result)
              return result
            }),
          ),
          anything,
        ),
      }),
    })
    this.#offset = saved?.nextOffset ?? 0
    this.task = new StreamTask(pipeline, saved, 0)
  }

  push(...values: readonly T[]): this {
    for (const value of values) {
      const view = new RecordView()
      view.buffer = Buffer.from(JSON.stringify(value))
      view.valueLength = view.buffer.length
      view.offset = this.#offset
      this.#offset += 1
      this.task.push(view)
    }
    return this
  }

  cut(now = 0, isFinal = false): TaskCut {
    return this.task.cut({ now, isFinal })
  }
}

/** What a store would give back after these cuts. */
export function savedFrom(...cuts: readonly TaskCut[]): SavedCheckpoint {
  const last = cuts.at(-1)
  if (last === undefined) throw new Error('no cut')
  return {
    nextOffset: last.nextOffset,
    watermark: last.watermark,
    archiveNextOffset: null,
    state: keptFrames([], cuts.flatMap(framesOf)),
  }
}
