import { map } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { RetryableError } from '../../../src/runtime/errors.ts'
import { type Codec, Rejection } from '../../../src/runtime/log/codec.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

/** Knows no word before it was prepared for it; the fetch takes a while and fails as often as told. */
class WordCodec implements Codec<string> {
  readonly known = new Set<string>()
  readonly fetched: string[] = []
  failures = 0
  readonly clock = new VirtualClock()

  prepare(record: RecordView): Promise<void> | undefined {
    const word = record.valueText() ?? ''
    return this.known.has(word) ? undefined : this.#fetch(word)
  }

  decode(record: RecordView): string | Rejection {
    const word = record.valueText() ?? ''
    return this.known.has(word) ? word.toUpperCase() : new Rejection('unprepared', word)
  }

  async #fetch(word: string): Promise<void> {
    this.fetched.push(word)
    await this.clock.sleep(5)
    if (this.failures-- > 0) throw new RetryableError('away for a moment')
    this.known.add(word)
  }
}

function pipelineOf(codec: Codec<string>) {
  return definePipeline({
    name: 'words',
    inputs: { words: { topic: 'words', codec } },
    build: ({ words }) => ({
      words: toPostgres(words.pipe(map((word) => ({ word }))), {
        mode: 'append',
        name: 'words',
        columns: [{ name: 'word', type: 'text', of: (row) => row.word }],
      }),
    }),
  })
}

async function run(codec: WordCodec, words: readonly string[]) {
  const { clock } = codec
  const source = new MemoryLog({ topic: 'words', partitions: 1, clock })
  source.add(...words.map((value) => ({ value })))
  const store = new MemoryCheckpointStore()
  const worker = new Worker({ pipeline: pipelineOf(codec), source, store, archive: null, clock })
  worker.stop('drain')
  await clock.run(worker.run())
  return { rows: store.rows('words').map((row) => row.word), letters: store.deadLetters() }
}

describe('a codec that has to fetch something first', () => {
  it('is waited for before each record that needs it, and its rows come in order', async () => {
    const codec = new WordCodec()
    const { rows, letters } = await run(codec, ['a', 'b', 'a', 'c', 'b'])
    expect(rows).toEqual(['A', 'B', 'A', 'C', 'B'])
    expect(codec.fetched).toEqual(['a', 'b', 'c'])
    expect(letters).toEqual([])
  })

  it('holds the task up while what it needs is out of reach, and loses nothing', async () => {
    const codec = new WordCodec()
    codec.failures = 3
    const { rows, letters } = await run(codec, ['a', 'b'])
    expect(rows).toEqual(['A', 'B'])
    expect(codec.fetched).toEqual(['a', 'a', 'a', 'a', 'b'])
    expect(letters).toEqual([])
  })

  it('is known to the task, which asks nobody where no codec needs it', () => {
    const record = new RecordView()
    record.buffer = Buffer.from('a')
    record.valueLength = 1
    const task = new StreamTask(pipelineOf(new WordCodec()), null, 0)
    expect(task.needsPrepare).toBe(true)
    expect(task.prepare(record)).toBeInstanceOf(Promise)
    const plain = new StreamTask(pipelineOf({ decode: () => 'x' }), null, 0)
    expect(plain.needsPrepare).toBe(false)
    expect(plain.prepare(record)).toBeUndefined()
  })

  it('is refused by the operator, which cannot wait', () => {
    expect(() => decode(new WordCodec())).toThrow('inputs: { orders: { topic, codec } }')
  })
})
