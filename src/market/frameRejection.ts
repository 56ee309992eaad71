import type { z } from 'zod'
import { boundedDetail } from '../codecs/boundedDetail.ts'
import { Rejection } from '../runtime/log/codec.ts'
import { otherUnitHint, type TimeUnit } from './timeUnit.ts'

const numeric = /^[-+]?[0-9]*\.?[0-9]*(?:[eE][-+]?[0-9]+)?$/

/** Why a frame is no trade: the first thing that its schema found, with the number that was there but no other text of the frame. */
export function rejectionOf(error: z.ZodError, frame: unknown, unit: TimeUnit): Rejection {
  const issue = error.issues[0]
  if (issue === undefined) return malformed('the frame fits no schema')
  const value = valueAt(frame, issue.path)
  const path = issue.path.join('.')
  const isTime = /(?:^|\.)[ET]$/.test(path) && typeof value === 'number'
  const hint = isTime ? otherUnitHint(value, unit) : null
  const detail = `${path === '' ? 'the frame' : path}: ${issue.message}, got ${shown(value)}${hint === null ? '' : `, ${hint}`}`
  const isNumber =
    typeof value === 'number' || (typeof value === 'string' && /[0-9]/.test(value) && numeric.test(value))
  const isOutOfRange = isNumber && (issue.code !== 'invalid_type' || value === Infinity || value === -Infinity)
  return isOutOfRange ? new Rejection('out-of-range', boundedDetail(detail)) : malformed(detail)
}

export function malformed(detail: string): Rejection {
  return new Rejection('malformed', boundedDetail(detail))
}

function valueAt(frame: unknown, path: readonly PropertyKey[]): unknown {
  let value = frame
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<PropertyKey, unknown>)[key]
  }
  return value
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') {
    return numeric.test(value) && value.length <= 40 ? `"${value}"` : `text of ${value.length} characters`
  }
  return Array.isArray(value) ? 'an array' : 'an object'
}
