import type pg from 'pg'
import { z } from 'zod'
import { type RouteContext, RouteError } from '../route.ts'

export const schemaName = z.string().min(1).max(63)
/** A number of a query. */
export const wholeNumber = (most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().int().min(0).max(most))
/** ms UTC. */
export const timeMs = wholeNumber(8_640_000_000_000_000)
export const word = z.string().min(1).max(500)

/** The most rows of one kind that are answered at once. */
export const mostRows = 500

export const ofSchema = z.object({ schema: schemaName })

/** The database of a data set. Throws `RouteError` where there is none. */
export function poolOf({ dataSets }: RouteContext, schema: string) {
  const pool = dataSets.poolOf(schema)
  if (pool !== null) return pool
  const known = dataSets.known.find((one) => one.schema === schema)
  throw new RouteError(404, known?.problem ?? `there is no schema ${schema} with tables of Millrace`)
}

/** Whether a data set has candles. */
export function candlesIn({ dataSets }: RouteContext, schema: string): boolean {
  return dataSets.known.some((one) => one.schema === schema && one.hasCandles)
}

export async function withClient<T>(
  context: RouteContext,
  schema: string,
  use: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await poolOf(context, schema).connect()
  try {
    const result = await use(client)
    client.release()
    return result
  } catch (error) {
    client.release(true)
    throw error
  }
}
