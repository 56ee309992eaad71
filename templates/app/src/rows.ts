// Prints the rows: of the embedded PostgreSQL, or of the one that DATABASE_URL names. `npm run rows`
import { openPool, startOrJoin } from 'millrace/postgres'

const url = process.env.DATABASE_URL
const embedded = url === undefined ? await startOrJoin('.millrace') : null
const pool = openPool(embedded?.connection ?? { connectionString: String(url) }, { schema: 'public' })
try {
  const { rows } = await pool.query('SELECT product, minute, orders, cents FROM sales_1m ORDER BY minute, product')
  console.table(rows.map(({ minute, ...row }) => ({ minute: minute.toISOString(), ...row })))
} finally {
  await pool.end()
  await embedded?.stop()
}
