import './runtime/checkNode.ts'

export { bytesCodec } from './codecs/bytesCodec.ts'
export { type JsonCodec, jsonCodec } from './codecs/jsonCodec.ts'
export { orNull } from './codecs/orNull.ts'
export { type ConfluentRegistryOptions, confluentRegistry } from './codecs/registry/confluentRegistry.ts'
export type { RegisteredSchema, SchemaRegistry, SchemaType } from './codecs/registry/schemaRegistry.ts'
export { textCodec } from './codecs/textCodec.ts'
export { type TopicCodecs, topic } from './codecs/topic.ts'
export type { TwoWayCodec } from './codecs/twoWayCodec.ts'
export { type WholeRecord, wholeRecord } from './codecs/wholeRecord.ts'
export {
  addFixed8,
  divideHalfEven,
  type Fixed8,
  type Fixed16,
  formatFixed,
  parseFixed8,
  subFixed8,
  toFixed8,
} from './exact/decimal.ts'
export { fixed8Schema } from './exact/fixed8Schema.ts'
export { ProductSum } from './exact/productSum.ts'
export type { OutletCount } from './host/outletCounts.ts'
export { type FeedInto, type RunPipelineSettings, type RunSummary, runPipeline } from './host/runPipeline.ts'
export type { RunStatus } from './host/runStatus.ts'
export type { S3Access } from './host/s3Access.ts'
export type { Candle } from './market/candle.ts'
export { type CoinbaseCodecOptions, coinbaseCodec } from './market/coinbaseCodec.ts'
export type { FeedGap, GapState } from './market/feedGap.ts'
export { type Interval, intervalMs, intervals } from './market/interval.ts'
export { type KlineInterval, klineIntervals } from './market/klineInterval.ts'
export { type BookOutcome, type BookSnapshot, OrderBook, type OrderBookOptions } from './market/orderBook.ts'
export { type AggTrade, aggTradeCodec } from './market/streams/aggTrade.ts'
export { type BookTicker, bookTickerCodec } from './market/streams/bookTicker.ts'
export { type DepthDiff, depthCodec } from './market/streams/depthDiff.ts'
export { type ExchangeTopicsOptions, exchangeTopics } from './market/streams/exchangeTopics.ts'
export { type Kline, klineCodec } from './market/streams/kline.ts'
export { type MiniTicker, miniTickerCodec } from './market/streams/miniTicker.ts'
export { type PartialDepth, partialDepthCodec } from './market/streams/partialDepth.ts'
export type { PriceLevel } from './market/streams/payloadParts.ts'
export {
  type ApartCheck,
  type DelayCheck,
  type DifferenceCheck,
  judgeQuality,
  type LadderCheck,
  type LevelsCheck,
  type PositiveCheck,
  type PresentCheck,
  type QualityCheck,
  type QualityFinding,
  type QualityPart,
  type QualityRule,
  qualityOf,
  type RisingCheck,
  type SpanCheck,
} from './market/streams/quality.ts'
export { qualityRules } from './market/streams/qualityRules.ts'
export type { StreamCodecOptions, StreamRecord } from './market/streams/streamCodec.ts'
export { type StreamTrade, streamTradeCodec } from './market/streams/streamTrade.ts'
export { type Ticker, tickerCodec } from './market/streams/ticker.ts'
export type { Heartbeat, Market, MarketEvent, Trade } from './market/trade.ts'
export { type TradeCodecOptions, tradeCodec } from './market/tradeCodec.ts'
export {
  type AggregateWindowOptions,
  aggregateWindow,
  type WithdrawingAggregateOptions,
} from './operators/aggregateWindow.ts'
export { type AsOfJoinOptions, asOfJoin } from './operators/asOfJoin.ts'
export { type BatchFlushOptions, batchFlush } from './operators/batchFlush.ts'
export type { TradeForOhlcv } from './operators/candleSum.ts'
export { type CountWindowOptions, countWindow } from './operators/countWindow.ts'
export { type DecodeOptions, decode } from './operators/decode.ts'
export { type DedupeByRanges, type DedupeBySet, dedupe } from './operators/dedupe.ts'
export type { EarlyByTime, EarlyByValues, EarlyResults } from './operators/earlyResults.ts'
export { type EnrichOptions, enrich } from './operators/enrich.ts'
export { type EventTimeOptions, eventTime } from './operators/eventTime.ts'
export type { Fired } from './operators/fold.ts'
export { Hole } from './operators/holes.ts'
export { type HoppingWindowOptions, hoppingWindow } from './operators/hoppingWindow.ts'
export { type InOrderOptions, inOrder } from './operators/inOrder.ts'
export {
  type InnerIntervalJoin,
  type IntervalJoinOptions,
  intervalJoin,
  type LeftIntervalJoin,
  type OuterIntervalJoin,
} from './operators/intervalJoin.ts'
export { type KeyedMoment, type KeyedOptions, type KeyedStep, keyed } from './operators/keyed.ts'
export { type LookupCache, type LookupOptions, lookup } from './operators/lookup.ts'
export { type MapAsyncOptions, mapAsync } from './operators/mapAsync.ts'
export { type OhlcvOptions, ohlcv } from './operators/ohlcv.ts'
export { type RollupOptions, rollup } from './operators/rollup.ts'
export { type SequenceOptions, sequence } from './operators/sequence.ts'
export { type SessionWindowOptions, sessionWindow } from './operators/sessionWindow.ts'
export type { StreamTable } from './operators/streamTable.ts'
export { type TopNOptions, topN, type WithdrawingTopNOptions } from './operators/topN.ts'
export { type ToTableOptions, toTable } from './operators/toTable.ts'
export { type TumblingWindowOptions, tumblingWindow } from './operators/tumblingWindow.ts'
export { type UpstreamTimeOptions, upstreamTime } from './operators/upstreamTime.ts'
export type {
  Hops,
  Window,
  WindowElement,
  WindowFired,
  WindowOver,
  WindowsMerged,
  WindowValue,
  WindowWithdrawn,
} from './operators/window.ts'
export { realtime } from './pipelines/realtime.ts'
export { Batch } from './runtime/batch.ts'
export { type Clock, systemClock } from './runtime/clock.ts'
export { type Duration, durationMs } from './runtime/duration.ts'
export * from './runtime/errors.ts'
export { field } from './runtime/field.ts'
export type { Json } from './runtime/json.ts'
export type { Origin, Rejected } from './runtime/letters/deadLetters.ts'
export { type Codec, Rejection } from './runtime/log/codec.ts'
export type { Delivery, Destination, OutgoingMessage, StoredMessage } from './runtime/log/destination.ts'
export type {
  Feed,
  FeedBatch,
  FeedProgress,
  FeedReader,
  FeedReadOptions,
  FeedTarget,
} from './runtime/log/feed.ts'
export type {
  AssignmentListener,
  FetchOptions,
  LeaderEpochEnd,
  LeaderEpochStart,
  LogBounds,
  LogMembership,
  LogReader,
  LogSource,
  LogWriter,
  OpenOutgoingTopic,
  OutgoingRecord,
  OutgoingTopic,
  RecordBatch,
} from './runtime/log/log.ts'
export { type Marker, type MarkerSource, markerHeader } from './runtime/log/marker.ts'
export { type RecordHeader, RecordView, redriveHeader, redrivePipelineHeader } from './runtime/log/record.ts'
export type { RecordColumns } from './runtime/log/recordColumns.ts'
export type { StartFrom } from './runtime/log/startFrom.ts'
export type { AnyTopic, Topic, ValueOf } from './runtime/log/topic.ts'
export type { ObjectStore, StoredObject } from './runtime/objectStore.ts'
export type {
  BuildLogic,
  Cut,
  Logic,
  Meeting,
  OperatorSpec,
  Output,
  RecordedAnswer,
  Restored,
  TimeHolder,
} from './runtime/operator/operator.ts'
export { stateful } from './runtime/operator/stateful.ts'
export type { Input, InputOptions, InputStreams, Inputs, InputValue } from './runtime/pipeline/input.ts'
export type { ArchiveOutlet, MessagesOutlet, MessageTarget, Outlet, RowsOutlet } from './runtime/pipeline/outlet.ts'
export {
  definePipeline,
  type InputsPipeline,
  type Outlets,
  type Pipeline,
  type PipelineOptions,
  type RecordsPipeline,
} from './runtime/pipeline/pipeline.ts'
export type { KeyedState, StateCodec } from './runtime/state/keyedState.ts'
export { plainState } from './runtime/state/plainState.ts'
export type { SavedOperator } from './runtime/state/savedState.ts'
export type { AskedPlace, LookupAnswer } from './runtime/store/answers.ts'
export type { Archive, ArchiveProgress, ArchiveWriter } from './runtime/store/archive.ts'
export type {
  ArchivedObject,
  Checkpoint,
  CheckpointStore,
  Claim,
  DeadLetter,
  IdleAdvance,
  InputEnd,
  InputPosition,
  MergeNote,
  MessageWrite,
  OutboxIdentity,
  RecordedStep,
  SavedCheckpoint,
  StateFrame,
  TableWrite,
  TaskId,
  TaskPlace,
} from './runtime/store/checkpoint.ts'
export type { MessagePage, Outbox, RefusedMessage } from './runtime/store/outbox.ts'
export type { OpenPacker, PackedRows, RowPacker } from './runtime/store/packedRows.ts'
export type { PartitionGrowth } from './runtime/store/partitionGrowth.ts'
export type { AppendTable, Column, ColumnType, ColumnValue, Table, UpsertTable } from './runtime/store/table.ts'
export { type GraphEdge, type GraphNode, graphOf, type PipelineGraph } from './runtime/task/graph.ts'
export type { InputStatus, OperatorStatus, OutletStatus, TaskStatus } from './runtime/task/taskStatus.ts'
export { defaultLimits, type WorkerLimitOptions, type WorkerLimits } from './runtime/task/workerLimits.ts'
export { Withdrawn, withdrawn } from './runtime/withdrawn.ts'
export type { StopMode } from './runtime/worker/stopMode.ts'
export { Worker, type WorkerOptions } from './runtime/worker/worker.ts'
export {
  type AppendTableOptions,
  type ColumnSpec,
  type ColumnSpecs,
  type ConvertedColumn,
  type RowWith,
  type TableRow,
  table,
  type UpsertTableOptions,
} from './sinks/table.ts'
export { toArchive } from './sinks/toArchive.ts'
export { type OwnDestination, toDestination } from './sinks/toDestination.ts'
export { toPostgres } from './sinks/toPostgres.ts'
export {
  type Encodes,
  type IntoKeyedTopic,
  type IntoNamedTopic,
  type IntoTopic,
  type MessageOf,
  toTopic,
} from './sinks/toTopic.ts'
export { toWebhook, type Webhook } from './sinks/toWebhook.ts'
export {
  type IngestBatchOptions,
  type IngestOptions,
  type IngestProgress,
  type IngestReport,
  runIngest,
} from './sources/ingest/runIngest.ts'
export {
  type DefinedFeed,
  defineFeed,
  type FeedDefinition,
  type FeedKey,
  type FeedPart,
  type FeedRecords,
  type FeedValues,
  type WritableTopic,
} from './sources/ownFeed/defineFeed.ts'
export type { FeedRecord } from './sources/ownFeed/feedRecord.ts'
