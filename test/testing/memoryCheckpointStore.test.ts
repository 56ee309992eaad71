import type { TaskId } from '../../src/runtime/store/checkpoint.ts'
import { MemoryCheckpointStore } from '../../src/testing/memoryCheckpointStore.ts'
import { checkpointStoreContract } from '../contract/checkpointStore.ts'

checkpointStoreContract('memory', () => {
  const store = new MemoryCheckpointStore()
  const isOf = (task: TaskId) => (stored: TaskId) => stored.pipeline === task.pipeline && stored.topic === task.topic
  return Promise.resolve({
    store,
    rows: async (table) =>
      store.rows(table).map((row) => {
        const wide = row.count === undefined ? 'number' : 'count'
        return { ...row, [wide]: BigInt(row[wide] as number) }
      }),
    deadLetters: async (task) =>
      store
        .deadLetters()
        .filter(isOf(task))
        .map(({ pipeline: _, topic: _t, partition: _p, ...letter }) => letter),
    objects: async (task) =>
      store
        .objects()
        .filter(isOf(task))
        .map(({ pipeline: _, topic: _t, partition: _p, ...object }) => object),
    idleAdvances: async (task) =>
      store
        .idleAdvances()
        .filter(isOf(task))
        .map(({ pipeline: _, topic: _t, partition: _p, ...advance }) => advance),
    dispose: () => store.close(),
  })
})
