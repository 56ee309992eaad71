import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { workerFlags } from '../../src/host/workerFlags.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the main job and the image start Node as a pool starts its workers', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  expect(scripts['pipeline:realtime']).toMatch(`node ${workerFlags.join(' ')} src/`)
  expect(read('Dockerfile')).toContain(
    JSON.stringify(['node', ...workerFlags])
      .slice(0, -1)
      .replaceAll(',', ', '),
  )
})
