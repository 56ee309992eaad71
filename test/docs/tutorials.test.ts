import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from '../support/commandLine.ts'
import { fences, onSources, textOf } from './pagePrograms.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'millrace-tutorial-'))
chmodSync(folder, 0o755)
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Fence {
  readonly language: string
  /** The file to save it as. */
  readonly file: string | undefined
  readonly text: string
}

function allFences(page: string): readonly Fence[] {
  const found = textOf(page).matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```/gm)
  return [...found].map(([, language = '', file, text = '']) => ({ language, file, text }))
}

/** The file with the lines behind `+` in place of those behind `-`. */
function patched(file: string, diff: string): string {
  const lines = (sign: string) =>
    diff
      .split('\n')
      .filter((line) => line.startsWith(sign))
      .map((line) => line.slice(1))
      .join('\n')
  const before = readFileSync(file, 'utf8')
  expect(before).toContain(lines('-'))
  return before.replace(lines('-'), () => lines('+'))
}

async function ran(line: string): Promise<string> {
  const [program, ...args] = line.split(' ')
  if (program === 'npx') {
    const result = await runCommand(args.slice(1), { cwd: folder })
    expect(result, result.stderr).toMatchObject({ code: 0 })
    return result.stdout
  }
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
  })
  expect(status, stdout).toBe(0)
  return stdout
}

describe('docs/start/firstPipeline.md', () => {
  const [first, ...others] = allFences('docs/start/firstPipeline.md')

  it('begins with what makes a project', () => {
    expect(first?.text).toMatch(/npm init -y .*\nnpm install millrace zod/)
  })

  it('can be followed to the letter, and says what comes of it', { timeout: 240_000 }, async () => {
    let told = ''
    for (const { language, file, text } of others) {
      if (file !== undefined && language === 'diff')
        writeFileSync(join(folder, file), patched(join(folder, file), text))
      else if (file !== undefined) writeFileSync(join(folder, file), onSources(text))
      else if (language === 'sh') {
        told = ''
        for (const line of text.trimEnd().split('\n')) told += await ran(line)
      } else {
        let from = 0
        for (const line of text.trimEnd().split('\n')) {
          const at = told.indexOf(line, from)
          expect(at, `${line}\nis not, or not in this order, in\n${told}`).toBeGreaterThanOrEqual(0)
          from = at + line.length
        }
      }
    }
  })
})

it('docs/start/fromRxjs.md: its program prints what stands below it', () => {
  const [program = ''] = fences('docs/start/fromRxjs.md', 'ts')
  const [expected] = fences('docs/start/fromRxjs.md', 'text')
  writeFileSync(join(folder, 'plain.ts'), onSources(program))
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder, 'plain.ts')], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).toBe(expected)
})
