import type { z } from 'zod'
import type { AnyRoute } from './route.ts'
import { letterBytes, letterGroups, letterRows, oneLetter, redrive } from './routes/letterRoutes.ts'
import { candles, symbols } from './routes/marketRoutes.ts'
import { alerts, data, overview, pipelines } from './routes/runRoutes.ts'

/** All that the console can be asked, but for its pages and the socket. */
export const routes = [
  overview,
  pipelines,
  symbols,
  candles,
  letterGroups,
  letterRows,
  oneLetter,
  letterBytes,
  redrive,
  data,
  alerts,
] as const

export const routeTable: readonly AnyRoute[] = routes as unknown as readonly AnyRoute[]

type Routes = (typeof routes)[number]

export type RoutePath = Routes['path']

/** What a path answers. */
export type AnswerOf<P extends RoutePath> = z.infer<Extract<Routes, { readonly path: P }>['answer']>
