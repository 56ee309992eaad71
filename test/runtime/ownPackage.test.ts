import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { buildChunks } from '../../scripts/buildChunks.ts'
import { codeFolder, packageFolder } from '../../src/runtime/ownPackage.ts'

const source = resolve(import.meta.dirname, '../..')

it('finds the package above its sources', () => {
  expect(packageFolder.href).toBe(pathToFileURL(`${source}/`).href)
  expect(codeFolder.href).toBe(pathToFileURL(`${source}/src/`).href)
})

it('takes a project into which it was bundled for no package of ours, whose files are not to be run', async () => {
  const project = mkdtempSync(join(tmpdir(), 'millrace-bundled-'))
  try {
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'theirs', type: 'module' }))
    const out = join(project, 'out')
    await buildChunks(out, { own: join(source, 'src/runtime/ownPackage.ts') })
    const bundled = (await import(pathToFileURL(join(out, 'own.js')).href)) as { packageFolder: URL }
    expect(bundled.packageFolder.href).toBe(pathToFileURL(`${out}/`).href)
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
})
