// Draws the live screen of `millrace run realtime`, on the simulator, as docs/pictures/terminal-dark.svg and -light.svg: `npm run terminal:pictures`.
// A terminal is lent by `script` of util-linux.
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { lastFrame, terminalPicture, terminalThemes } from './docs/terminalPicture.ts'

const root = resolve(import.meta.dirname, '..')
const typed = 'npx millrace run realtime'
/** Records after which every line of the screen has something in it. */
const enough = 500
const folder = mkdtempSync(join(tmpdir(), 'millrace-terminal-'))
// The embedded database does not run as root, and its user has to come here.
chmodSync(folder, 0o755)
const command = `stty cols 100 rows 34; exec ${process.execPath} ${join(root, 'src/cli/main.ts')} run realtime --source simulator --no-console`
const child = spawn('script', ['-qfec', command, '/dev/null'], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] })
let written = ''
let frame: readonly string[] = []
child.stdout.on('data', (chunk: Buffer) => {
  written += chunk.toString()
  const shown = lastFrame(written)
  const [, records = '0'] = /^([\d,]+) records · /m.exec(shown.join('\n')) ?? []
  if (frame.length > 0 || Number(records.replace(',', '')) < enough) return
  frame = shown
  // As Ctrl-C in that terminal.
  child.stdin.write('\u0003')
})
await new Promise((ended) => child.on('close', ended))
rmSync(folder, { recursive: true, force: true })
if (frame.length === 0)
  throw new Error(`no screen with ${enough} records came; the last of it:\n${written.slice(-2_000)}`)
for (const [name, theme] of Object.entries(terminalThemes)) {
  const picture = terminalPicture(`The live screen of ${typed}`, [`$ ${typed}`, '', ...frame], theme)
  writeFileSync(join(root, `docs/pictures/terminal-${name}.svg`), picture)
}
