import { ingestFolder } from '../../host/processSlots.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { UsageError } from '../exit.ts'
import { choosePlan } from '../realtime/choosePlan.ts'
import { emptyTape } from '../realtime/frameCounts.ts'
import { ingestBanner, ingestSummary } from '../realtime/ingestTexts.ts'
import { openFeeds, type TopicFeed, topicsBeside } from '../realtime/openFeed.ts'
import { namedSource } from '../realtime/runPlan.ts'
import { columnsOf } from '../terminalView.ts'
import type { IngestJob } from './ingestJob.ts'

/** Brings trades in, from the exchange, the simulator or a tape. */
export async function marketJob(context: CommandContext): Promise<IngestJob> {
  const { settings } = context
  const named = namedSource(settings, context.origins)
  if (named === 'none')
    throw new UsageError('ingest needs something to take in: --source none is only for run realtime.')
  const { plan, isFallback } = await choosePlan(context, named, { isIngestOnly: true })
  let opened: Promise<readonly [TopicFeed, ...TopicFeed[]]> | null = null
  const open = (onNotice: (line: string) => void) => {
    opened ??= openFeeds(plan, settings, onNotice)
    return opened
  }
  const ownName = settings.producer ?? (settings.shard === undefined ? undefined : plan.producer)
  return {
    topic: { name: plan.topic, isTable: false, isOfThePast: plan.source === 'tape' },
    schema: plan.schema,
    producer: settings.producer ?? plan.producer,
    folder: ingestFolder(settings.dataDir, ownName === undefined ? null : `${plan.topic}.${ownName}`),
    title: `ingest of ${plan.sourceText}`,
    banner: ({ location, records }) => [
      ...ingestBanner(plan, location, isFallback ? commandFor(context, 'doctor') : null, columnsOf(process.stdout)),
      ...(plan.source === 'tape' && records > 0
        ? [
            `warning: ${plan.topic} holds ${records} records. Trades of a tape that are older than those become late; --topic NAME keeps a tape apart.`,
          ]
        : []),
    ],
    topicsBeside: topicsBeside(plan),
    openFeed: async (onNotice) => (await open(onNotice))[0].feed,
    openBeside: async (onNotice) => (await open(onNotice)).slice(1).map(({ feed }) => feed),
    summary: (report) => ingestSummary(plan, report),
    problem: (report) => emptyTape(plan, report),
    explain: () => null,
  }
}
