import { keepYoungGenerationSmall } from '../../src/cli/youngGeneration.ts'
import { archivedTrades, benchReplay } from './replay.ts'

// As the command does.
keepYoungGenerationSmall()
const [folder = '', trades = ''] = process.argv.slice(2)
console.log(JSON.stringify(await benchReplay(await archivedTrades(folder, Number(trades)))))
