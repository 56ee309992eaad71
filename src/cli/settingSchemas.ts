import { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'
import type { StartFrom } from '../runtime/startFrom.ts'
import { parseDatabaseUrl } from '../sinks/postgres/databaseUrl.ts'
import { parseTime } from './time.ts'

export const yesOrNo = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(z.enum(['true', 'false', '1', '0', 'yes', 'no']))
  .transform((text) => text === 'true' || text === '1' || text === 'yes')

export const yesOrNoAllowed = 'true or false'

export function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max))
}

export const symbol = z
  .string()
  .transform((text) => text.trim().toUpperCase())
  .pipe(z.string().regex(/^[\p{L}\p{N}_-]{1,40}$/u))

export const symbolList = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(symbol).min(1).max(1000))
  .transform((list): readonly string[] => [...new Set(list)])

/** One a line, as a flag that is given several times is handed over. */
export const fileList = z
  .string()
  .transform((text): readonly string[] => text.split('\n'))
  .pipe(z.array(z.string().min(1)).min(1).max(1000))
  .transform((list): readonly string[] => list)

export const pipelineName = z.string().regex(/^[a-z][a-z0-9_-]*$/)

export const pipelineNameAllowed = 'the name of a pipeline: lower-case letters, digits, - and _'

export const tasksOf = z.string().transform((text, context) => {
  const [, pipeline, topic, partition] = /^([a-z][a-z0-9_-]*)(?:\/([^/\s]{1,249})(?:\/(\d{1,9}))?)?$/.exec(text) ?? []
  if (pipeline === undefined) {
    context.addIssue({ code: 'custom', message: 'no tasks' })
    return z.NEVER
  }
  return {
    pipeline,
    ...(topic === undefined ? {} : { topic }),
    ...(partition === undefined ? {} : { partition: Number(partition) }),
  }
})

export const tasksOfAllowed = 'PIPELINE, PIPELINE/TOPIC or PIPELINE/TOPIC/PARTITION'

export const newOwner = z.union([z.literal('nobody'), tasksOf])

export const time = z.string().transform((text, context) => {
  const ms = parseTime(text)
  if (ms !== null) return ms
  context.addIssue({ code: 'custom', message: 'not a time' })
  return z.NEVER
})

export const timeAllowed = 'an ISO 8601 time in UTC (2024-08-08T23:55:00Z), a date (2024-08-08) or ms since 1970'

/** A word, a time, or digits, which are an offset here and no ms. */
export const startFrom = z.string().transform((text, context): StartFrom => {
  if (text === 'earliest' || text === 'latest') return text
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) }
  const ms = parseTime(text)
  if (ms !== null && ms >= 0) return { time: ms }
  context.addIssue({ code: 'custom', message: 'no place to start from' })
  return z.NEVER
})

export const startFromAllowed =
  'earliest, latest, an ISO 8601 time in UTC (2024-08-08T23:55:00Z), a date, or an offset (a whole number)'

/** An address that can be used; the issue says why one cannot and what can, and holds no secret. */
export const databaseUrl = z.string().superRefine((text, context) => {
  try {
    parseDatabaseUrl(text)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    context.addIssue({ code: 'custom', message: error.message, params: { saysAll: true } })
  }
})

/** An address that is told in lines and reports: the issue says so, and not the address, where it holds a secret. */
export function plainUrl(protocols: readonly string[]) {
  return url(protocols).superRefine((text, context) => {
    const { username = '', password = '', search = '' } = URL.parse(text) ?? {}
    if (username === '' && password === '' && search === '') return
    const message = 'the address must have no user, password or query, which would be told in every report'
    context.addIssue({ code: 'custom', message, params: { saysAll: true } })
  })
}

export function url(protocols: readonly string[]) {
  return z
    .string()
    .transform((text) => text.replace(/\/+$/, ''))
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol))
}
