import type { Stage, StageOptions } from './stage.ts'
export async function kafkaStage(_options: StageOptions): Promise<Stage> {
  throw new Error('not yet')
}
