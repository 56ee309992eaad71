import '../runtime/checkNode.ts'

export type { ExchangeFaults, ExchangeRefusal } from './exchange/exchangeFaults.ts'
export type { ExchangeTrade, ExchangeTradeOptions } from './exchange/exchangeTrades.ts'
export type { Kline } from './exchange/klines.ts'
export type { ExchangeLimits } from './exchange/requestLimits.ts'
export { SeededTrading, type SeededTradingOptions } from './exchange/seededTrading.ts'
export { SimulatedExchange, type SimulatedExchangeOptions } from './exchange/simulatedExchange.ts'
export { type FaultKind, type Faults, noFaults, scriptedFaults, seededFaults } from './faults/faults.ts'
export { faultyCheckpointStore, Zombies } from './faults/faultyCheckpointStore.ts'
export { faultyLog } from './faults/faultyLog.ts'
export { faultyObjectStore } from './faults/faultyObjectStore.ts'
export { faultyDestination, faultyTopic } from './faults/faultySending.ts'
export { SimulatedProcess } from './faults/simulatedProcess.ts'
export { type TestedFeed, type TestFeedOptions, testFeed } from './kit/testFeed.ts'
export { type TestMarkerOptions, testMarker } from './kit/testMarker.ts'
export type { TestMessage } from './kit/testMessages.ts'
export { testPipeline } from './kit/testPipeline.ts'
export type { TestRecord } from './kit/testRecord.ts'
export { type FinishOptions, InputsTestRun, RecordsTestRun, type TestPipelineOptions, TestRun } from './kit/testRun.ts'
export { MemoryCheckpointStore } from './memoryCheckpointStore.ts'
export { MemoryLog, type MemoryLogOptions, type MemoryRecord } from './memoryLog.ts'
export { MemoryObjectStore } from './memoryObjectStore.ts'
export { Random } from './random.ts'
export {
  type SchemaRegistryFaults,
  type SchemaRegistryServer,
  type SchemaRegistryServerOptions,
  startSchemaRegistry,
} from './schemaRegistryServer.ts'
export { type Adversity, randomAdversity } from './simulation/adversity.ts'
export { differencesOf, type Outcome } from './simulation/outcome.ts'
export {
  runUninterrupted,
  runWithAdversity,
  type SimulationOptions,
  type SimulationResult,
} from './simulation/simulate.ts'
export { type UnkindTrades, type UnkindTradesOptions, unkindTrades } from './unkind/unkindTrades.ts'
export { VirtualClock, type VirtualClockOptions } from './virtualClock.ts'
