import { runSchedule } from '../../src/schedule/runSchedule.ts'
import { type BackfillPlace, burningJob } from './burningJob.ts'

const { database, name, parallel } = JSON.parse(process.argv[2] ?? '') as BackfillPlace
await runSchedule(burningJob(name, parallel), { database, untilDone: true, lookEvery: 50 })
