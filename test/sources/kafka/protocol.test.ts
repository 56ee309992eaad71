import {
  addPartitionsToTxnV3,
  apiVersionsV3,
  createTopicsV7,
  describeConfigsV4,
  endTxnV3,
  fetchV13,
  findCoordinatorV4,
  heartbeatV4,
  initProducerIdV4,
  joinGroupV9,
  leaveGroupV5,
  listOffsetsV7,
  metadataV12,
  offsetCommitV8,
  offsetForLeaderEpochV4,
  protocolErrorsCodesById,
  syncGroupV5,
} from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { AnswerReader } from '../../../src/sources/kafka/protocol/answerReader.ts'
import { protocolErrorName } from '../../../src/sources/kafka/protocol/errorNames.ts'
import type { Exchange } from '../../../src/sources/kafka/protocol/exchange.ts'
import * as groups from '../../../src/sources/kafka/protocol/groupExchanges.ts'
import { RequestWriter } from '../../../src/sources/kafka/protocol/requestWriter.ts'
import * as topics from '../../../src/sources/kafka/protocol/topicExchanges.ts'
import * as transactions from '../../../src/sources/kafka/protocol/transactionExchanges.ts'
import { fetchRecords } from '../../../src/sources/kafka/wire/fetchApi.ts'

/** Of another client of Kafka, which knows the protocol as well. */
interface OtherExchange {
  readonly api: { readonly key: number; readonly version: number }
  createRequest(...args: never[]): { readonly buffer: Buffer }
}

const topic = 'preise.€'
const id = '0b5c4a1e-93d2-4f5a-8a3c-2f1d6e7b8c90'
const identity = { transactionalId: 'ingest', producerId: 9_007_199_254_740_993n, epoch: 7 }
const me = { group: 'g', generation: 5, memberId: 'm-1', instanceId: null }
const long = Buffer.alloc(300, 'x')

function request<Question>(exchange: Exchange<Question, unknown>, question: Question): Buffer {
  const writer = new RequestWriter()
  exchange.write(writer, question)
  return writer.framed().subarray(4)
}

const partition = (rest: object) => [
  { name: topic, partitions: [{ partitionIndex: 3, currentLeaderEpoch: 4, ...rest }] },
]
const place = { topic, partition: 3, leaderEpoch: 4 }
const settings = { 'cleanup.policy': 'compact', 'segment.bytes': '8388608' }
const wanted = { name: topic, numPartitions: 1, replicationFactor: -1, assignments: [] }
const asked = { topicId: id, partition: 3, offset: 2 ** 40, leaderEpoch: 4, lastFetchedEpoch: -1, maxBytes: 1 << 20 }
const fetched = { topicId: id, partitions: [{ partition: 3, currentLeaderEpoch: 4, fetchOffset: 2n ** 40n }] }
fetched.partitions = [{ ...fetched.partitions[0]!, lastFetchedEpoch: -1, partitionMaxBytes: 1 << 20 } as never]

function of(other: unknown, ...args: readonly unknown[]): { other: OtherExchange; args: never[] } {
  return { other: other as OtherExchange, args: args as never[] }
}

/** Each of our requests, and what the other client is to be asked for the same bytes. */
const requests = [
  [topics.apiVersions, { software: 'millrace', version: '1' }, of(apiVersionsV3, 'millrace', '1')],
  [topics.topicMetadata, topic, of(metadataV12, [topic], false)],
  [
    topics.listOffset,
    { ...place, isolation: 1, timestamp: -2n },
    of(listOffsetsV7, -1, 1, partition({ timestamp: -2n })),
  ],
  [topics.epochEnd, { ...place, epoch: 6 }, of(offsetForLeaderEpochV4, -1, partition({ leaderEpoch: 6 }))],
  [
    topics.topicSettings,
    { topic, names: ['retention.ms'] },
    of(
      describeConfigsV4,
      [{ resourceType: 2, resourceName: topic, configurationKeys: ['retention.ms'] }],
      false,
      false,
    ),
  ],
  [
    topics.createTopic,
    { topic, partitions: 1, settings, timeoutMs: 9_000 },
    of(
      createTopicsV7,
      [{ ...wanted, configs: Object.entries(settings).map(([name, value]) => ({ name, value })) }],
      9_000,
      false,
    ),
  ],
  [groups.findCoordinator, { kind: 1, name: 'ingest' }, of(findCoordinatorV4, 1, ['ingest'])],
  [
    groups.joinGroup,
    {
      ...{ ...me, instanceId: 'worker-1', protocol: { type: 'consumer', name: 'range' }, metadata: long },
      ...{ sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 15_000 },
    },
    of(joinGroupV9, 'g', 6_000, 15_000, 'm-1', 'worker-1', 'consumer', [{ name: 'range', metadata: long }], null),
  ],
  [
    groups.syncGroup,
    { ...me, protocol: { type: 'consumer', name: 'range' }, assignments: [{ memberId: 'm-1', assignment: long }] },
    of(syncGroupV5, 'g', 5, 'm-1', null, 'consumer', 'range', [{ memberId: 'm-1', assignment: long }]),
  ],
  [groups.heartbeat, me, of(heartbeatV4, 'g', 5, 'm-1', null)],
  [
    groups.commitOffsets,
    { ...me, topic, offsets: new Map([[3, 17]]) },
    of(offsetCommitV8, 'g', 5, 'm-1', null, [
      {
        name: topic,
        partitions: [{ partitionIndex: 3, committedOffset: 17n, committedLeaderEpoch: -1, committedMetadata: null }],
      },
    ]),
  ],
  [groups.leaveGroup, me, of(leaveGroupV5, 'g', [{ memberId: 'm-1', groupInstanceId: null, reason: null }])],
  [transactions.initProducer, { transactionalId: 'ingest', timeoutMs: 15_000 }, of(initProducerIdV4, 'ingest', 15_000)],
  [
    transactions.addPartitions,
    { identity, topics: [{ name: topic, partitions: [0, 3] }] },
    of(addPartitionsToTxnV3, [
      {
        ...{ transactionalId: 'ingest', producerId: identity.producerId, producerEpoch: 7, verifyOnly: false },
        topics: [{ name: topic, partitions: [0, 3] }],
      },
    ]),
  ],
  [transactions.endTransaction, { identity, isCommitted: true }, of(endTxnV3, 'ingest', identity.producerId, 7, true)],
  [fetchRecords, { ...asked, maxWaitMs: 500 }, of(fetchV13, 500, 1, 1 << 20, 1, 0, -1, [fetched], [], '')],
] as const

test.each(requests)('request $key v$version has the bytes that another client gives it', (exchange, question, of) => {
  const { api, createRequest } = of.other
  expect([exchange.key, exchange.version]).toEqual([api.key, api.version])
  const bytes = request(exchange as Exchange<unknown, unknown>, question)
  expect(bytes.toString('hex')).toBe(createRequest(...of.args).buffer.toString('hex'))
})

test('errors have the names that another client gives them', () => {
  for (const [code, name] of Object.entries(protocolErrorsCodesById)) expect(protocolErrorName(Number(code))).toBe(name)
  expect(protocolErrorName(9_999)).toBe('error 9999')
})

test('an answer that is cut off anywhere is an error, and none that makes the process wait or run out of memory', () => {
  const writer = new RequestWriter().int32(0).int16(0).int32(1).text('consumer').text('range').text('m-1')
  writer.boolean(false).text('m-1')
  writer.list(['m-1', 'm-2'], (member) => writer.text(member).text(null).bytes(long).end()).end()
  const answer = writer.framed().subarray(4)
  expect(groups.joinGroup.read(new AnswerReader(answer)).members).toHaveLength(2)
  for (let length = 0; length < answer.length; length++)
    expect(() => groups.joinGroup.read(new AnswerReader(answer.subarray(0, length)))).toThrow(RangeError)
  const endless = Buffer.concat([Buffer.alloc(10), Buffer.alloc(20, 0xff)])
  expect(() => topics.topicMetadata.read(new AnswerReader(endless))).toThrow(RangeError)
})

test('a member that is new is told its id by the refusal', () => {
  const writer = new RequestWriter().int32(0).int16(79).int32(-1).text(null).text(null).text('')
  writer.boolean(false).text('m-7')
  writer.list([], () => undefined).end()
  const read = () => groups.joinGroup.read(new AnswerReader(writer.framed().subarray(4)))
  expect(read).toThrow(expect.objectContaining({ apiId: 'MEMBER_ID_REQUIRED', response: { memberId: 'm-7' } }))
})

test('an answer about several partitions tells each refusal', () => {
  const answer = new RequestWriter()
  answer
    .int32(0)
    .list([topic], (name) => {
      answer
        .text(name)
        .list([29, 0, 6], (code) => answer.int32(0).int16(code).end())
        .end()
    })
    .end()
  const read = () => transactions.addPartitions.read(new AnswerReader(answer.framed().subarray(4)))
  expect(read).toThrow(
    expect.objectContaining({
      errors: [{ apiId: 'TOPIC_AUTHORIZATION_FAILED' }, { apiId: 'NOT_LEADER_OR_FOLLOWER' }].map((one) =>
        expect.objectContaining(one),
      ),
    }),
  )
})
