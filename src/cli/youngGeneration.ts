import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Of both halves together, as far as they are in use: it grows to about 16 MiB from there, as under `--max-semi-space-size=8`. */
const largeEnoughBytes = 8 * 1024 * 1024
const lookEveryMs = 20

/**
 * Keeps the young generation of this process as small as that of workers, whom a flag tells (`workerFlags`). Nobody has started the command with it, and V8 takes it only at the
 * start; so the growth is stopped in time, and let go on where the garbage collector has made the young generation small. Under hostile input the process takes 100 MB less.
 */
export function keepYoungGenerationSmall(): void {
  let isGrowing = true
  const look = () => {
    const isToGrow = youngBytes() < largeEnoughBytes
    if (isToGrow === isGrowing) return
    isGrowing = isToGrow
    setFlagsFromString(`--semi-space-growth-factor=${isToGrow ? 2 : 1}`)
  }
  look()
  setInterval(look, lookEveryMs).unref()
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0
}
