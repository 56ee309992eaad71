import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildPages } from '../../scripts/buildPages.ts'
import { readPages } from '../../src/web/pageFiles.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-pages-'))
beforeAll(() => buildPages(folder), 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const zipped = (names: readonly string[]) =>
  names.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0)

/** What the first page loads before it does anything: the document, and what its tags and their static imports name. */
function shell(): readonly string[] {
  const document = readFileSync(join(folder, 'index.html'), 'utf8')
  const names = new Set(['index.html'])
  const waiting = [...document.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name]) => String(name))
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (names.has(name)) continue
    names.add(name)
    if (!name.endsWith('.js')) continue
    const text = readFileSync(join(folder, name), 'utf8')
    waiting.push(...[...text.matchAll(/(?:from|import)"\.\/([^"]+)"/g)].map(([, other]) => `assets/${other}`))
  }
  return [...names]
}

test('the shell is at most 40 kB over the wire, and all pages together 150 kB', () => {
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(?:html|js|css|svg)$/.test(name),
  )
  const sizes = { shell: zipped(shell()), all: zipped(all) }
  expect(shell().length).toBeGreaterThan(3)
  expect(sizes.shell).toBeGreaterThan(5_000)
  expect(sizes.shell).toBeLessThanOrEqual(40_000)
  expect(sizes.all).toBeLessThanOrEqual(150_000)
})

test('the document holds no script and no style of its own, which its policy would refuse', () => {
  const document = readFileSync(join(folder, 'index.html'), 'utf8')
  expect(document).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/)
  // Below a path of somebody's proxy, too.
  expect(document).not.toMatch(/(?:src|href)="\//)
})

test('every file that the build makes is one that the server sends', () => {
  const built = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.'))
  expect([...readPages(folder).keys()].sort()).toEqual(built.map((name) => (name === 'index.html' ? '' : name)).sort())
})
