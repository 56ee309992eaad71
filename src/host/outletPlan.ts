import type { LakeCopy, MessagesOutlet, Outlet } from '../runtime/pipeline/outlet.ts'
import { callBuild, inputsOf, type Outlets, type Pipeline } from '../runtime/pipeline/pipeline.ts'
import type { Table } from '../runtime/store/table.ts'
import { StreamTask } from '../runtime/task/streamTask.ts'

/** An outlet for rows or messages, and where they go. */
export interface OutletEnd {
  /** As the pipeline calls it. */
  readonly outlet: string
  readonly kind: 'rows' | 'messages'
  /** The table, the topic or the destination. */
  readonly to: string
}

/** What a pipeline ends in, known before it runs. */
export interface OutletPlan {
  /** Those for rows and messages, in the order in which the pipeline names them. */
  readonly ends: readonly OutletEnd[]
  /** Those of which raw records are kept, by their place among the inputs. */
  readonly archivedInputs: readonly number[]
  /** Its operators that ask somebody outside, and whether what they are answered is stored. */
  readonly asking: readonly { readonly operator: string; readonly isRecorded: boolean }[]
  /** Descriptors of all tables, as often as they are named. */
  readonly tables: readonly Table<never>[]
  /** Those of them that the lake has as well. */
  readonly followed: readonly { readonly table: string; readonly lake: LakeCopy }[]
}

/**
 * Builds the pipeline as a task does at its first start, without records, state or clock, and lets go of it. Throws what a start throws on a pipeline that is
 * not well formed.
 */
export function outletPlanOf(pipeline: Pipeline): OutletPlan {
  let built: Outlets = {}
  const watched: Pipeline = {
    ...pipeline,
    build: (streams) => {
      built = callBuild(pipeline, streams)
      return built
    },
  }
  const task = new StreamTask(
    watched,
    null,
    inputsOf(pipeline).map(() => 0),
  )
  const archivedInputs = [...task.archives.values()]
  const { asking } = task
  task.abandon()
  const outlets = Object.entries(built)
  return {
    ends: outlets.flatMap(([outlet, end]) => endOf(outlet, end)),
    ...{ archivedInputs, asking },
    tables: outlets.flatMap(([, end]) => (end.kind === 'rows' ? [end.table] : [])),
    followed: outlets.flatMap(([, end]) =>
      end.kind === 'rows' && end.lake !== undefined ? [{ table: end.table.name, lake: end.lake }] : [],
    ),
  }
}

function endOf(outlet: string, end: Outlet<unknown>): readonly OutletEnd[] {
  if (end.kind === 'archive') return []
  if (end.kind === 'rows') return [{ outlet, kind: 'rows', to: end.table.name }]
  return [{ outlet, kind: 'messages', to: targetOf(end) }]
}

function targetOf({ to }: MessagesOutlet<unknown>): string {
  return to.kind === 'topic' ? to.topic : to.name
}
