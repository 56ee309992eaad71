import { expect, it } from 'vitest'
import { partitionsChanged } from '../../../src/runtime/store/partitionGrowth.ts'

const task = { pipeline: 'paid', topic: 'orders', partition: 0 }

it('a topic that has grown is refused with what to do about it, and about those that are read beside it', () => {
  expect(partitionsChanged(task, 2, 4).message).toMatch(
    /has read topic orders with 2 partitions, and now it has 4\..* make one with 4 partitions, .* run the pipeline on that one\. .*allow' in definePipeline\.$/,
  )
  const { message } = partitionsChanged({ ...task, otherTopics: ['payments', 'refunds'] }, 2, 4)
  expect(message).toMatch(/make new ones with 4 partitions each in place of this one and of payments, refunds/)
  expect(message).toMatch(/allow' in definePipeline, and let all topics grow to the same number\.$/)
})
