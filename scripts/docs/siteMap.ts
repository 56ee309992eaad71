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
      'start/fromKafkaStreams',
      'start/fromFlink',
      'start/fromSpark',
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
      'learn/inputs',
      'learn/tables',
      'learn/joins',
      'learn/testing',
      'learn/guarantees',
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
  { title: 'Operators', pages: ['operators/index'] },
  {
    title: 'Connect',
    pages: [
      'connect/index',
      'connect/kafka',
      'connect/postgres',
      'connect/s3',
      'connect/webhooks',
      'connect/files',
      'connect/schemaRegistry',
      'connect/yourOwn',
      'connect/feeds',
      'connect/codecs',
      'connect/outlets',
    ],
  },
  {
    title: 'Run',
    pages: [
      'run/index',
      'run/changing',
      'run/upgrading',
      'run/schedule',
      'run/deployment',
      'run/docker',
      'run/kubernetes',
      'run/systemd',
      'run/operations',
      'run/backup',
      'run/runbooks',
    ],
  },
  {
    title: 'Platform',
    pages: [
      'platform/console',
      'platform/liveFeed',
      'platform/symbols',
      'platform/marketStreams',
      'platform/history',
      'platform/indicators',
      'platform/alerts',
      'platform/portfolio',
      'platform/batch',
      'platform/quality',
      'platform/lake',
    ],
  },
  { title: 'Reference', pages: ['reference/commands', 'reference/configuration', 'reference/errors'] },
  { title: 'Why', pages: ['why/benchmarks', 'why/firstHour', 'decisions/README'] },
]
