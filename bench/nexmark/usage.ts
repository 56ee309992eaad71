// Imported before a program: at its end, writes into the file of NEXMARK_USAGE what the process has used since its start.
import { writeFileSync } from 'node:fs'
import { peakRssMb } from '../measure/peakRss.ts'

process.on('exit', () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage()
  const usage = { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, rssMb: peakRssMb() }
  writeFileSync(process.env.NEXMARK_USAGE ?? '', JSON.stringify(usage))
})
