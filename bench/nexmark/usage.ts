// Imported before a program: at its end, writes into the file of NEXMARK_USAGE what the process has used since its start.
import { writeFileSync } from 'node:fs'

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const usage = { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, rssMb: Math.round(maxRSS / 1_024) }
  writeFileSync(process.env.NEXMARK_USAGE ?? '', JSON.stringify(usage))
})
