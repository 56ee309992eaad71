// The program of a run that `millrace run FILE --watch` starts anew when a file changes.
import { reportLoads } from './watch/reportLoads.ts'

reportLoads()
await import('./main.ts')
