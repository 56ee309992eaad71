import { countText } from '../../console/text.ts'
import { ingestFolder } from '../../host/processSlots.ts'
import { isSimulatedTopic } from '../../host/simulatedTopic.ts'
import { MillraceError } from '../../runtime/errors.ts'
import type { Feed } from '../../runtime/log/feed.ts'
import type { IngestReport } from '../../sources/ingest/runIngest.ts'
import type { JsonLinesOptions } from '../../sources/jsonLines/jsonLines.ts'
import { jsonLinesFile, jsonLinesKind } from '../../sources/jsonLines/jsonLinesFile.ts'
import { jsonLinesInput } from '../../sources/jsonLines/jsonLinesInput.ts'
import { inspectLineFile } from '../../sources/lineFile.ts'
import { isMarkedSimulated } from '../../sources/tapeMark.ts'
import type { CommandContext } from '../commandContext.ts'
import { UsageError } from '../exit.ts'
import { errorInFile } from '../importFile.ts'
import { loadFeed } from '../loadFeed.ts'
import { version } from '../version.ts'
import type { IngestJob } from './ingestJob.ts'

/** What is brought in, before anything is opened. */
interface Source {
  /** For people. */
  readonly text: string
  readonly topic: string
  readonly name: string
  /** True where records may be older than a topic keeps what is new. */
  readonly isOld: boolean
  readonly open: (onNotice: (line: string) => void) => Feed
  /** True for a file of lines. */
  readonly isFile: boolean
  /** The user's own code, if any. */
  readonly file: string | null
}

/** Brings in what is no market's: JSON lines of a file or of standard input, or a feed of one's own. */
export async function feedJob(context: CommandContext): Promise<IngestJob> {
  const { settings } = context
  const source = await sourceOf(context)
  const { topic, text } = source
  const producer = settings.producer ?? source.name.replace(/[^\w.-]/g, '-').slice(0, 100)
  return {
    topic: { name: topic, isTable: false, isOfThePast: source.isOld },
    schema: settings.schema,
    producer,
    folder: ingestFolder(settings.dataDir, `${topic}.${producer}`),
    title: `ingest of ${text}`,
    banner: ({ location }) => [
      `millrace ${version()} · ingest`,
      `  source       ${text}`,
      `  topic        ${topic}`,
      `  producer     ${producer}`,
      `  log          ${location}`,
    ],
    openFeed: async (onNotice) => source.open(onNotice),
    summary: (report) => summary(text, topic, report),
    problem: (report) => (source.isFile ? emptyFile(text, report) : null),
    explain: (error) =>
      source.file === null || error instanceof MillraceError || error instanceof UsageError
        ? null
        : `feed ${source.name}: ${errorInFile(source.file, error)}. What it yielded before is in the log.`,
  }
}

async function sourceOf(context: CommandContext): Promise<Source> {
  const { settings, origins, args } = context
  const [file] = args
  const marketFlags = { source: '--source', tape: '--tape', market: '--market', symbols: '--symbols' } as const
  for (const [name, flag] of Object.entries(marketFlags)) {
    if (origins[name as keyof typeof marketFlags] === 'flag') {
      throw new UsageError(`${flag} is for trades, not for ${file ?? `--feed ${settings.feed}`}: leave it out.`)
    }
  }
  if (settings.feed !== undefined) return ownFeed(context, settings.feed)
  if (file === undefined) throw new Error('bug: neither a file nor a feed')
  const { logTopic: topic, key = null, time = null, onBadLine } = settings
  if (topic === undefined) throw new UsageError(`ingest ${file} needs a topic: name one with --topic NAME.`)
  const timeUnit = origins.timeUnit === 'default' ? null : settings.timeUnit
  if (timeUnit !== null && time === null && origins.timeUnit === 'flag') {
    throw new UsageError('--time-unit is the unit of --time: name the field with --time FIELD.')
  }
  const ofInvented = isSimulatedTopic(topic)
  const optionsOf = (isSimulated: boolean, onNotice: (line: string) => void): JsonLinesOptions => ({
    isSimulated,
    key,
    time,
    timeUnit: time === null ? null : timeUnit,
    onBadLine,
    onNotice,
  })
  if (file === '-') {
    return {
      text: 'standard input',
      topic,
      name: 'standard-input',
      isOld: false,
      open: (onNotice) => jsonLinesInput(process.stdin, optionsOf(ofInvented, onNotice)),
      isFile: false,
      file: null,
    }
  }
  const { firstLines } = await inspectLineFile(jsonLinesKind, file)
  const isSimulated = ofInvented || isMarkedSimulated(firstLines)
  const open = (onNotice: (line: string) => void) => jsonLinesFile(file, optionsOf(isSimulated, onNotice))
  return { text: file, topic, name: open(() => undefined).name, isOld: time !== null, open, isFile: true, file: null }
}

async function ownFeed({ settings, args, origins }: CommandContext, file: string): Promise<Source> {
  if (args[0] !== undefined)
    throw new UsageError(`ingest takes either a file of JSON lines (${args[0]}) or --feed ${file}.`)
  const lineFlags = { key: '--key', time: '--time', timeUnit: '--time-unit', onBadLine: '--on-bad-line' } as const
  for (const [name, flag] of Object.entries(lineFlags)) {
    if (origins[name as keyof typeof lineFlags] === 'flag')
      throw new UsageError(`${flag} is for JSON lines; a feed of your own says so itself (key and time of defineFeed).`)
  }
  const feed = await loadFeed(file)
  const topic = settings.logTopic ?? feed.topic.name
  return {
    text: `feed ${feed.name} (${file})`,
    topic,
    name: feed.name,
    isOld: false,
    open: () => feed,
    isFile: false,
    file,
  }
}

/** Why a file that was read to its end gave nothing, or null where it gave something or was read before. */
function emptyFile(file: string, { end, records, counts }: IngestReport): string | null {
  const { skipped = 0, linesBefore = 0 } = counts
  if (end !== 'feed-ended' || records > 0 || linesBefore > 0) return null
  return skipped === 0
    ? `${file} has no line with anything in it: nothing was brought in.`
    : `none of the ${countText(skipped)} lines of ${file} could be taken, so nothing was brought in; what is wrong with the first of them stands above.`
}

function summary(
  text: string,
  topic: string,
  { end, records, counts, unconfirmedRecords }: IngestReport,
): readonly string[] {
  const { skipped = 0 } = counts
  return [
    end === 'feed-ended'
      ? `All of ${text} is in ${topic}: ${countText(records)} records appended in this run.`
      : `Stopped cleanly: ${countText(records)} records appended to ${topic}. The next start goes on from here.`,
    ...(skipped === 0 ? [] : [`Bad lines skipped: ${countText(skipped)}.`]),
    ...(unconfirmedRecords === 0
      ? []
      : [
          `${countText(unconfirmedRecords)} records were read but are not known to be in the log, which did not answer in time.`,
        ]),
  ]
}
