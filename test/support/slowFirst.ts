import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Their tests start processes and wait for them: a file of a few lines may take a minute.
const slow = /\/test\/(?:cli|deploy|embedded|host|package|scripts|sources\/kafka)\//

/**
 * The order of a run: files that take long come before the others, so that the workers end together. Vitest itself goes by how long each took the last time, and in a fresh checkout, where it does not know that, by size.
 */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isSlow = ({ moduleId }: TestSpecification) => slow.test(moduleId)
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))]
  }
}
