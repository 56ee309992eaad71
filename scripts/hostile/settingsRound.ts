import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../src/testing/random.ts'
import type { Round, RoundPlace } from './round.ts'
import { runWatched } from './watchedProcess.ts'

const mostMs = 60_000

const nasty = [
  '',
  ' ',
  '\u0001',
  'ü'.repeat(300),
  '-1',
  '1e9',
  '99999999999999999999',
  '0x10',
  'true',
  '{}',
  '$HOME',
  "'",
  '"',
  '\\',
  '../../etc',
  '%',
  '%zz',
  'http://',
  'NaN',
  '\u{1F4A5}',
  'a'.repeat(100_000),
]
const urls = [
  'postgres://',
  'postgres://%',
  'postgres://u:p@127.0.0.1:99999/x',
  'postgres://u:p@[::1/x',
  'mysql://u@h/d',
  'postgres://127.0.0.1:1/x?sslmode=bogus',
  'postgres://u:p@127.0.0.1:1/%00',
  'postgres://u:p@127.0.0.1:1/x?options=-c%20search_path%3Dpublic',
  '//',
  'postgres:///',
]
const numbers = [
  'MILLRACE_CHECKPOINT_MS',
  'MILLRACE_PARTITIONS',
  'MILLRACE_MAX_RECORD_BYTES',
  'MILLRACE_MAX_LETTER_BYTES',
  'MILLRACE_MAX_RECORD_RESULTS',
  'KAFKA_MAX_BATCH_BYTES',
  'MILLRACE_OPEN_CANDLE_MS',
  'MILLRACE_LOG_RETENTION_HOURS',
]
const texts = [
  'MILLRACE_SCHEMA',
  'MILLRACE_ARCHIVE',
  'MILLRACE_SOURCE',
  'MILLRACE_MARKET',
  'MILLRACE_SYMBOLS',
  'KAFKA_BROKERS',
  'KAFKA_CLIENT',
  'MILLRACE_S3_PATH_STYLE',
  'MILLRACE_WORKER_ID',
  'MILLRACE_GROUP',
  'MILLRACE_TTY',
]
const commands = [
  ['status'],
  ['doctor'],
  ['dead-letters', 'list'],
  ['state', 'list'],
  ['outbox', 'list'],
  ['offsets', 'list'],
  ['health'],
  ['migrate'],
  ['run', 'realtime', '--source', 'simulator', '--until-end'],
  ['offsets', 'skip', '--pipeline', 'x', '--topic', 'y', '--partition', '0', '--to-offset', '1', '--because', 'z'],
]

/** A `.env` file of rubbish under commands that end by themselves: each is refused with a reason, or works. */
export async function settingsRound(random: Random, { folder, env }: RoundPlace): Promise<Round> {
  const problems: string[] = []
  let peakMb = 0
  const starts = 4
  for (let start = 0; start < starts; start++) {
    const file = join(folder, '.env')
    writeFileSync(file, envFile(random))
    const command = random.pick(commands)
    const given = random.chance(0.5)
      ? { ...env, [random.pick([...numbers, ...texts])]: random.pick(nasty).replaceAll('\u0000', '') }
      : env
    const withUrl = random.chance(0.3) ? { ...given, DATABASE_URL: random.pick(urls) } : given
    const end = await runWatched(command, withUrl, folder, mostMs)
    rmSync(file)
    peakMb = Math.max(peakMb, end.peakMb)
    const what = `\`millrace ${command.join(' ')}\` with rubbish in its settings`
    if (end.code === null) problems.push(`${what} did not end within ${mostMs / 1000} s: ${end.output.slice(-400)}`)
    else if (end.code !== 0 && end.output.trim() === '') problems.push(`${what} ended with ${end.code} and no word`)
    else if (/\n\s+at .*\.(ts|js):\d+/.test(end.output))
      problems.push(`${what} ended in a stack trace: ${end.output.slice(-600)}`)
  }
  return { starts, records: 0, skipped: 0, peakMb, problems }
}

function envFile(random: Random): string {
  const lines = Array.from({ length: random.int(1, 8) }, () => {
    if (random.chance(0.15))
      return random.pick(['=', '===', 'export', '\u0000', '# only', '"A"=1', 'A B=1', '\uFEFFMILLRACE_TTY=true'])
    return `${random.pick([...numbers, ...texts, 'UNKNOWN', 'MILLRACE_UNKNOWN'])}=${random.pick(nasty)}`
  })
  return lines.join(random.pick(['\n', '\r\n']))
}
