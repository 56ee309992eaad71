import { describe, expect, test } from 'vitest'
import { checkRunSettings } from '../../src/host/checkRunSettings.ts'
import type { RunPipelineSettings } from '../../src/host/runPipeline.ts'

describe('settings of a program', () => {
  test.each<[keyof RunPipelineSettings, string]>([
    ['workerId', '..'],
    ['workerId', '../up'],
    ['workerId', '.hidden'],
    ['workerId', ''],
    ['group', 'a/b'],
    ['group', 'x'.repeat(201)],
    ['topic', '..'],
    ['topic', 'a b'],
    ['archive', 's3://'],
    ['archive', 'file:///tmp'],
  ])('refuse %s %j, as the command does', (name, value) => {
    const settings = { [name]: value } as RunPipelineSettings
    expect(() => checkRunSettings(settings)).toThrow(
      `runPipeline: ${name} ${JSON.stringify(value)} is not allowed; allowed: `,
    )
  })

  test('take what the command takes', () => {
    const settings = {
      workerId: 'host-1.a',
      group: 'my.group',
      topic: '.odd',
      archive: 's3://bucket/some/prefix',
    } as const
    expect(() => checkRunSettings(settings)).not.toThrow()
  })
})
