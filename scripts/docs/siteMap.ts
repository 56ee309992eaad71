/** A part of the site, with the pages of docs/ that are in it, in the order in which they are read. */
export interface SiteSection {
  readonly title: string
  /** Files of docs/, without the ending. */
  readonly pages: readonly string[]
}

export const siteMap: readonly SiteSection[] = [
  {
    title: 'Start',
    pages: [
      'start/firstPipeline',
      'start/fromRxjs',
      'start/fromKafkajs',
      'from-kafka-streams',
      'from-flink',
      'from-spark',
    ],
  },
  {
    title: 'Learn',
    pages: [
      'learn/eventTime',
      'learn/lateData',
      'learn/exactlyOnce',
      'learn/state',
      'learn/replay',
      'inputs',
      'tables',
      'testing',
      'guarantees',
    ],
  },
  {
    title: 'Cookbook',
    pages: [
      'cookbook/index',
      'cookbook/dropRepeats',
      'cookbook/joinTwoTopics',
      'cookbook/enrichFromTable',
      'cookbook/alertOnSilence',
      'cookbook/topTenPerMinute',
      'cookbook/sessioniseClicks',
      'cookbook/correctLateData',
      'cookbook/writeParquet',
      'cookbook/replayADay',
      'cookbook/moveToKafka',
      'cookbook/upgradeAndKeepState',
      'cookbook/testWithLaws',
    ],
  },
  { title: 'Operators', pages: ['operators'] },
  { title: 'Connect', pages: ['connectors', 'feeds', 'codecs', 'outlets', 'kafka'] },
  { title: 'Run', pages: ['running', 'changing', 'schedule', 'quality', 'deployment', 'operations', 'runbooks'] },
  {
    title: 'Platform',
    pages: [
      'console',
      'live-feed',
      'symbols',
      'market-streams',
      'history',
      'indicators',
      'alerts',
      'portfolio',
      'batch',
      'lake',
    ],
  },
  { title: 'Reference', pages: ['configuration', 'errors'] },
  { title: 'Why', pages: ['decisions/README'] },
]
