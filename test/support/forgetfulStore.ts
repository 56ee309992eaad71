import { RetryableError } from '../../src/runtime/errors.ts'
import type { CheckpointStore } from '../../src/runtime/store/checkpoint.ts'

/** The store, of which nobody hears that every third commit was stored. */
export function forgetfulStore(store: CheckpointStore): CheckpointStore {
  let commits = 0
  return {
    outbox: store.outbox,
    claim: (...asked) => store.claim(...asked),
    commit: async (claim, checkpoint) => {
      commits += 1
      await store.commit(claim, checkpoint)
      if (commits % 3 === 0) throw new RetryableError('the database is away')
    },
    recordedSteps: (...asked) => store.recordedSteps(...asked),
    mergeNotes: (...asked) => store.mergeNotes(...asked),
    answers: (...asked) => store.answers(...asked),
    close: () => store.close(),
  }
}
