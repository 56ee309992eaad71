import { animationFrameScheduler, asapScheduler, asyncScheduler } from 'rxjs'
import { currentTask, runningTask } from './currentTask.ts'

let isGuarded = false

/**
 * Has a task hear of it when an RxJS operator in its graph (`delay`, `debounceTime`, `bufferTime`) puts something off: what it holds would come too late for the
 * next checkpoint, and be lost with an orderly stop. Nothing else in the program notices.
 */
export function guardSchedulers(): void {
  if (isGuarded) return
  isGuarded = true
  for (const scheduler of [asyncScheduler, asapScheduler, animationFrameScheduler]) {
    const schedule = scheduler.schedule as (...work: unknown[]) => unknown
    const guarded = (...work: unknown[]): unknown => {
      ;(runningTask() ?? currentTask())?.puttingOff()
      return schedule.apply(scheduler, work)
    }
    scheduler.schedule = guarded as typeof scheduler.schedule
  }
}
