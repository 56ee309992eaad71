import type { Observable } from 'rxjs'
import { decode } from '../../src/operators/decode.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { framesOf, keptFrames } from '../../src/runtime/state/frameChain.ts'
import type { StateFrame } from '../../src/runtime/store/checkpoint.ts'
import { StreamTask } from '../../src/runtime/task/streamTask.ts'
import type { TaskCut } from '../../src/runtime/task/taskCut.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import type { KeyEvent, OperatorChain } from './chains.ts'

const nowhere = { mode: 'append', name: 'nowhere', columns: [{ name: 'n', type: 'integer', of: () => 0 }] } as const

/** A task of one operator whose records cost nothing to decode. */
export class OperatorTask {
  /** What the checkpoints say, from the last base on. */
  frames: readonly StateFrame[] = []
  readonly #task: StreamTask
  readonly #view = new RecordView()
  #event: KeyEvent | undefined

  constructor({ chain }: OperatorChain) {
    const pipeline = definePipeline({
      name: 'bench',
      build: (records) => {
        const events = records.pipe(decode<KeyEvent>({ decode: () => this.#event }))
        return { out: toPostgres(chain(events) as Observable<object>, nowhere) }
      },
    })
    this.#task = new StreamTask(pipeline, null, 0)
  }

  /** A promise where calls have to be waited for. */
  push(event: KeyEvent): Promise<void> | undefined {
    this.#event = event
    this.#task.push(this.#view)
    this.#view.offset += 1
    return this.#task.isSaturated ? this.#task.settle() : undefined
  }

  async cut(): Promise<TaskCut> {
    const cut = await this.#task.cutWhenQuiet({ now: 0, isFinal: false })
    this.frames = keptFrames(this.frames, framesOf(cut))
    return cut
  }

  /** Moves time without a value. */
  async advanceTo(watermark: number): Promise<void> {
    await this.#task.quiesce({ now: 0, isFinal: false })
    this.#task.advanceIdle(watermark)
  }

  /** How many keys all operators keep. */
  get keyCount(): number {
    return this.#task.operatorStatus().reduce((sum, { keyCount }) => sum + keyCount, 0)
  }
}
