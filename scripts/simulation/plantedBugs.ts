/** Who has to notice: the simulation, the twin of plain RxJS and a task, or, where no random graph comes by, a file of tests. */
export type Prover = 'simulation' | 'twin' | `test/${string}.test.ts`

/** A mistake that was in the code once, or that somebody could make: what it turns into what. */
export interface PlantedBug {
  readonly name: string
  readonly prover: Prover
  readonly file: string
  /** Stands in the file exactly once. */
  readonly from: string
  readonly to: string
}

const task = 'src/runtime/streamTask.ts'
const node = 'src/runtime/operatorNode.ts'
const attempt = 'src/runtime/taskAttempt.ts'
const time = 'src/runtime/timeDomain.ts'
const letters = 'src/runtime/deadLetters.ts'
const fold = 'src/operators/foldWindows.ts'

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'open and close are chosen by order of arrival',
    prover: 'simulation',
    file: 'src/operators/ohlcv.ts',
    from: 'if (tradeTime > this.closedAt || (tradeTime === this.closedAt && tradeId > this.closeId)) {',
    to: 'if (tradeTime > 0) {',
  },
  {
    name: 'the watermark is missing from the checkpoint',
    prover: 'simulation',
    file: task,
    from: 'if (saved !== null && saved.watermark !== null) this.time.watermark = saved.watermark',
    to: '',
  },
  {
    name: 'the ids of dedupe are missing from the checkpoint',
    prover: 'simulation',
    file: 'src/operators/dedupeByRanges.ts',
    from: 'encode: (ranges) => ranges.encode(),',
    to: 'encode: () => [],',
  },
  {
    name: 'what operators let go at a cut is not waited for',
    prover: 'simulation',
    file: task,
    from: 'if (this.isSettled) return\n      await this.settle()',
    to: 'return',
  },
  {
    name: 'asynchronous maps in a row: only the first is waited for',
    prover: 'simulation',
    file: task,
    from: 'for (;;) {\n      this.letGo(cut)\n      if (this.isSettled) return\n      await this.settle()\n    }',
    to: 'this.letGo(cut)\n    for (const { work } of this.#asynchronous) {\n      if (work === null || work.isIdle) continue\n      await work.settle()\n      this.#act(() => work.release())\n      return\n    }',
  },
  {
    name: 'a value that comes while the task is at rest is taken',
    prover: 'test/runtime/neighbours.test.ts',
    file: task,
    from: 'if (provenance.gate === atRest) this.#fail(this.#restViolation(name))',
    to: 'if (provenance.gate === atRest) return true',
  },
  {
    name: 'an exception of the function of mapAsync is swallowed',
    prover: 'simulation',
    file: node,
    from: '(error) => host.during(origin, () => host.failed(this.any, error)),',
    to: '() => undefined,',
  },
  {
    name: 'mapAsync goes on calling after everybody has unsubscribed',
    prover: 'test/runtime/plainGraph.test.ts',
    file: 'src/runtime/asyncWork.ts',
    from: 'this.#isAbandoned = true\n    this.#slots = []',
    to: '',
  },
  {
    name: 'after a migration a delta in the new layout follows a base in the old one',
    prover: 'simulation',
    file: 'src/runtime/taskState.ts',
    from: 'this.#needsBase = true\n    return migrated',
    to: 'return migrated',
  },
  {
    name: 'an idle step goes past what a guard holds',
    prover: 'test/runtime/idleSteps.test.ts',
    file: 'src/operators/eventTime.ts',
    from: 'if (guard !== null) settle(guard.reach(watermark + maxOutOfOrdernessMs + 1))',
    to: '',
  },
  {
    name: 'an idle step is taken when a fetch brings nothing although the log has more',
    prover: 'test/runtime/idleSteps.test.ts',
    file: attempt,
    from: 'if (next > task.nextOffset || this.#signal.aborted) return',
    to: 'if (next < 0) return',
  },
  {
    name: 'an idle step overtakes asynchronous work',
    prover: 'test/runtime/idleSteps.test.ts',
    file: attempt,
    from: 'await this.#quiet(task.quiesce({ now, isFinal: false }))\n    task.advanceIdle(',
    to: 'task.advanceIdle(',
  },
  {
    name: 'recorded idle steps are not read back',
    prover: 'simulation',
    file: 'src/runtime/recordedSteps.ts',
    from: 'return step === undefined ? !this.#isLastPage : step.offset <= offset',
    to: 'return step === undefined && !this.#isLastPage && offset < 0',
  },
  {
    name: 'letters of values that were held back all have ordinal 0',
    prover: 'simulation',
    file: letters,
    from: 'this.#ordinals.set(rejected.operator, ordinal + 1)',
    to: '',
  },
  {
    name: 'below an asynchronous operator a letter has no record',
    prover: 'simulation',
    file: node,
    from: 'const origin = host.origin()\n    work.add',
    to: 'const origin = host.origin().withoutRecord()\n    work.add',
  },
  {
    name: 'below an asynchronous operator the offset of a letter depends on the cut',
    prover: 'simulation',
    file: node,
    from: '(result: R) => host.during(origin, () => this.#run(() => deliver(result))),',
    to: '(result: R) => this.#run(() => deliver(result)),',
  },
  {
    name: 'a binary key is mangled in a letter',
    prover: 'test/runtime/deadLetters.test.ts',
    file: letters,
    from: 'key: record.keyCopy(),',
    to: "key: record.keyLength < 0 ? null : Buffer.from(record.keyText() ?? ''),",
  },
  {
    name: 'a redriven record vanishes in dedupe',
    prover: 'simulation',
    file: 'src/operators/dedupeBySet.ts',
    from: 'if (out.isRedriven) return out.emit(value)',
    to: '',
  },
  {
    name: 'a redriven record is taken again where it was taken the first time',
    prover: 'simulation',
    file: task,
    from: 'else return provenance.redrivenFor === null || passesRedriven === true',
    to: 'else return provenance.redrivenFor === null || passesRedriven === true || name.length > 0',
  },
  {
    name: 'accumulators of another shape are added to',
    prover: 'test/runtime/stateChanges.test.ts',
    file: 'src/operators/aggregateWindow.ts',
    from: 'const shape = { accumulator: shapeOf(initial()), version }',
    to: "const shape = { accumulator: 'anything', version }",
  },
  {
    name: 'allowed lateness can never be changed',
    prover: 'simulation',
    file: 'src/operators/tumblingWindow.ts',
    from: 'const spec = { name, version: 2, shape: { sizeMs },',
    to: 'const spec = { name, version: 2, shape: { sizeMs, allowedLatenessMs },',
  },
  {
    name: 'a key has two owners when its topic has grown',
    prover: 'test/runtime/worker.test.ts',
    file: attempt,
    from: '(await source.partitions()).length',
    to: 'undefined',
  },
  {
    name: 'backoff does not grow while commits fail',
    prover: 'test/runtime/failures.test.ts',
    file: attempt,
    from: 'this.#lastRecordAt = clock.now()\n      }',
    to: 'this.#lastRecordAt = clock.now()\n        backoff.reset()\n      }',
  },
  {
    name: 'a branch that ends takes the next one with it',
    prover: 'twin',
    file: time,
    from: 'this.#nodes.splice(at, 1)',
    to: 'this.#nodes.splice(at, 2)',
  },
  {
    name: 'outside of a task a late first value is accepted',
    prover: 'twin',
    file: node,
    from: 'return this.#timeHere().toldTo(this)',
    to: 'return this.host.isTask || this.nextDue < Number.POSITIVE_INFINITY ? this.#timeHere().toldTo(this) : Number.NEGATIVE_INFINITY',
  },
  {
    name: 'outside of a task timers fire in the order of first values',
    prover: 'twin',
    file: time,
    from: 'while (at > 0 && (this.#nodes[at - 1] as TimedNode).order > node.order) at--',
    to: '',
  },
  {
    name: 'below a merge of two eventTimes one clock rules the other’s values',
    prover: 'test/runtime/plainGraph.test.ts',
    file: 'src/runtime/plainGraph.ts',
    from: 'if (active === null || node.time === active ||',
    to: 'if (active === null || node.time !== null ||',
  },
  {
    name: 'feedback leaves no time',
    prover: 'test/runtime/plainGraph.test.ts',
    file: node,
    from: '} finally {\n      time.valueTime = before\n      this.host.enterTime(outer)',
    to: '} finally {\n      time.valueTime = Number.NaN\n      this.host.enterTime(outer)',
  },
  {
    name: 'an exception in the timer of one branch ends its siblings',
    prover: 'test/runtime/plainGraph.test.ts',
    file: node,
    from: 'this.#run(() => this.logic.onTimer?.(key, at))',
    to: 'this.logic.onTimer?.(key, at)',
  },
  {
    name: 'a batch has the time of the value that filled it, and none at a cut',
    prover: 'test/runtime/neighbours.test.ts',
    file: node,
    from: 'if (time !== null) time.valueTime = Number.NaN',
    to: '',
  },
  {
    name: 'what is emitted in onWatermark has no time on an idle step',
    prover: 'test/runtime/timers.test.ts',
    file: node,
    from: 'time.valueTime = watermark\n',
    to: '',
  },
  {
    name: 'one fold over two window sizes mixes them',
    prover: 'test/runtime/stateChanges.test.ts',
    file: fold,
    from: 'const map = mapOf(window)\n    const state',
    to: "const map = 'all'\n    const state",
  },
  {
    name: 'a key that went and came back keeps its old place over a restore',
    prover: 'test/runtime/stateChanges.test.ts',
    file: 'src/runtime/keyedState.ts',
    from: 'pairs.push(isDeleted ? [key] : [key, this.#codec.encode(value)])',
    to: '{\n      if (!isDeleted) pairs.push([key, this.#codec.encode(value)])\n      else if (!this.#entries.has(key)) pairs.push([key])\n    }',
  },
  {
    name: 'plain state loses minus zero and what is not finite',
    prover: 'test/runtime/stateChanges.test.ts',
    file: 'src/runtime/plainState.ts',
    from: 'return Number.isFinite(value) && !Object.is(value, -0)',
    to: 'return typeof value === typeof 0',
  },
  {
    name: 'plain state takes an object for one of its tags',
    prover: 'test/runtime/stateChanges.test.ts',
    file: 'src/runtime/plainState.ts',
    from: "entries.some(([key]) => key.startsWith('$') || key === '__proto__')",
    to: "entries.some(([key]) => key === '__proto__')",
  },
  {
    name: 'provisional results stop after the clock was set back',
    prover: 'test/operators/provisional.test.ts',
    file: fold,
    from: 'if (!cut.isFinal && sinceMs >= 0 && sinceMs < provisionalEveryMs) return',
    to: 'if (!cut.isFinal && sinceMs < provisionalEveryMs) return',
  },
  {
    name: 'rows that are arrays are flattened',
    prover: 'simulation',
    file: 'src/runtime/outletBuffer.ts',
    from: 'if (row instanceof Batch)',
    to: 'if (Array.isArray(row))',
  },
  {
    name: 'keys and ids of dedupe run into each other',
    prover: 'test/operators/dedupe.test.ts',
    file: 'src/operators/dedupeBySet.ts',
    from: 'function idKey(key: string, id: string | number): string {',
    to: "function idKey(key: string, id: string | number): string {\n  if (key.length >= 0) return [key, id].join('\\u0000')",
  },
  {
    name: 'an error of the build is masked by the check for retired operators',
    prover: 'test/runtime/streamTask.test.ts',
    file: task,
    from: 'this.#isSealed = true\n    this.#throwFailure()\n',
    to: 'this.#isSealed = true\n    if (this.#failure !== null) this.#state.checkRetired(pipeline)\n    this.#throwFailure()\n',
  },
  {
    name: 'every window of a key is written when one has changed',
    prover: 'test/runtime/stateChanges.test.ts',
    file: 'src/operators/tumblingWindow.ts',
    from: 'let one = windows.find(key, ordinal)\n',
    to: 'let one = windows.find(key, ordinal)\n        for (const [id] of saved.entries()) saved.update(id)\n',
  },
  {
    name: 'a million ids are forgotten in one go',
    prover: 'test/operators/dedupe.test.ts',
    file: 'src/operators/dedupeBySet.ts',
    from: 'const forgottenAtOnce = 1_024',
    to: 'const forgottenAtOnce = 1_000_000_000',
  },
  {
    name: 'a callback that throws on one record stops the worker',
    prover: 'simulation',
    file: task,
    from: 'if (this.isFatal(found)) this.#fail(found)',
    to: 'if (found !== undefined) this.#fail(found)',
  },
  {
    name: 'a step of RxJS that throws on one record stops the worker',
    prover: 'simulation',
    file: 'src/runtime/taskRunner.ts',
    from: 'if (error instanceof StepFailure) return this.#leftOut.learn(error)',
    to: '',
  },
  {
    name: 'a row that its table cannot hold stops the worker',
    prover: 'simulation',
    file: 'src/runtime/taskRunner.ts',
    from: 'this.#leftOut.learnBadRow(error.offset ?? 0)\n    return true',
    to: 'return false',
  },
]
