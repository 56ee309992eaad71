import { readFileSync } from 'node:fs'

/** The most memory that this process had, MB. On Linux as the kernel counts it for the program: what `resourceUsage` tells there begins with the memory of whoever forked the process. */
export function peakRssMb(): number {
  const kilobytes =
    process.platform === 'linux'
      ? Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
      : process.resourceUsage().maxRSS
  return Math.round(kilobytes / 1_024)
}
