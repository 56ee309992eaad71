import { outgoingPartition } from '../../../sources/outgoingPartition.ts'
import type { Item } from './item.ts'
import type { OutletPlan } from './plan.ts'

const known = new Map<string, string>()

/** The item as the outlet sends it: into a hop under another key, which several tasks share, and which begins with the partition that it goes to as every key of a drawn graph does. */
export function sentItem({ hopPartitions }: OutletPlan, item: Item): Item {
  return hopPartitions === undefined ? item : { ...item, key: hopKey(item.key.slice(1), hopPartitions) }
}

function hopKey(name: string, partitions: number): string {
  const found = known.get(`${partitions} ${name}`)
  if (found !== undefined) return found
  const partition = name.charCodeAt(0) % partitions
  let key = `${partition}${name}`
  for (let more = 0; outgoingPartition(Buffer.from(key), 0, partitions) !== partition; more++)
    key = `${partition}${name}${more}`
  known.set(`${partitions} ${name}`, key)
  return key
}
