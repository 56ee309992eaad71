import type pg from 'pg'
import { z } from 'zod'
import { partlyLate } from '../runtime/letters/deadLetters.ts'
import type { LogWriter, OutgoingRecord } from '../runtime/log/log.ts'
import { isRedriveHeader, redriveHeader, redrivePipelineHeader } from '../runtime/log/record.ts'
import { unescapeText } from '../sinks/postgres/columnText.ts'
import type { ReadRecord } from '../sources/recordAt.ts'
import { recordBytesAtMost } from '../sources/recordBatch/encode.ts'
import { completeLetter } from './completeLetter.ts'
import {
  type DeadLetterFilter,
  type DeadLetterKey,
  deadLettersAfter,
  findDeadLetter,
  formatKey,
  parseKey,
  type StoredDeadLetter,
  stampRedriven,
} from './deadLetters.ts'

export interface RedriveReport {
  /** Appended to the log and stamped, in this run. */
  readonly redriven: number
  /** Appended by a run that ended before it could stamp them; stamped now and not appended again. */
  readonly recovered: number
  readonly skipped: readonly { readonly id: string; readonly why: string }[]
}

/** Which letters of one topic: a list of keys, or all that a filter leaves. */
export type RedriveSelection = readonly DeadLetterKey[] | DeadLetterFilter

export const redriveProducer = 'redrive'

const pageLetters = 200
const pageBytes = 1024 * 1024
const maxBatchBytes = 512 * 1024

/**
 * Appends the dead letters of one topic to its log again, each to the partition that it came from, with its key and headers and one header
 * more that names the operator that set it aside, and stamps the letters.
 *
 * Memory: letters of a MiB, or one that is larger, with what its record lacks, and an append of it.
 *
 * Of a letter that does not keep all of its record, the record is read from the log again; one that the log no longer has is skipped.
 *
 * An append carries the ids of its letters as the producer's position. A crash between append and stamp therefore leaves a log that
 * knows what was appended: the next redrive stamps those first and appends nothing twice. Until then they are listed as waiting, so
 * nothing is hidden either. Two at once: the older one gets `TaskFencedError` before it appends anything more.
 */
export async function redrive(
  client: pg.Client,
  writer: LogWriter,
  selection: RedriveSelection,
  read: ReadRecord,
): Promise<RedriveReport> {
  const { position } = await writer.claim(redriveProducer)
  const recovered = position === null ? 0 : await stampRedriven(client, parsePosition(position))
  const skipped: { readonly id: string; readonly why: string }[] = []
  let redriven = 0
  for await (const page of pagesOf(client, selection, skipped)) {
    for await (const batch of batchesOf(page, read, skipped)) {
      await writer.append(batch.map(recordOf), JSON.stringify(batch.map(formatKey)))
      await stampRedriven(client, batch)
      redriven += batch.length
    }
  }
  return { redriven, recovered, skipped }
}

async function* pagesOf(
  client: pg.Client,
  selection: RedriveSelection,
  skipped: { readonly id: string; readonly why: string }[],
): AsyncGenerator<readonly StoredDeadLetter[]> {
  const isFit = (letter: StoredDeadLetter): boolean => {
    const why = whyNot(letter)
    if (why !== null) skipped.push({ id: formatKey(letter), why })
    return why === null
  }
  if (Array.isArray(selection)) {
    for (const key of selection as readonly DeadLetterKey[]) {
      const letter = await findDeadLetter(client, key)
      if (letter !== null && isFit(letter)) yield [letter]
    }
    return
  }
  let after: DeadLetterKey | null = null
  for (;;) {
    const page: readonly StoredDeadLetter[] = await deadLettersAfter(
      client,
      selection as DeadLetterFilter,
      after,
      pageLetters,
      pageBytes,
    )
    const last = page.at(-1)
    if (last === undefined) return
    after = last
    yield page.filter(isFit)
  }
}

function whyNot({ payload, redrivenAt, reason }: StoredDeadLetter): string | null {
  if (payload === null) return 'it has no payload'
  if (redrivenAt !== null) return 'it was redriven already'
  return reason === partlyLate
    ? 'some of its windows have taken it, and a second time it would count twice there'
    : null
}

/** Records may be large: a batch is cut by their bytes too, and what a letter lacks of its record is read when its turn comes. */
async function* batchesOf(
  letters: readonly StoredDeadLetter[],
  read: ReadRecord,
  skipped: { readonly id: string; readonly why: string }[],
): AsyncGenerator<readonly StoredDeadLetter[]> {
  let batch: StoredDeadLetter[] = []
  let bytes = 0
  for (const stored of letters) {
    const completed = await completeLetter(stored, read)
    if ('why' in completed) {
      skipped.push({ id: formatKey(stored), why: completed.why })
      continue
    }
    const { letter } = completed
    batch.push(letter)
    bytes += recordBytesAtMost(recordOf(letter))
    if (bytes < maxBatchBytes) continue
    yield batch
    batch = []
    bytes = 0
  }
  if (batch.length > 0) yield batch
}

function recordOf(letter: StoredDeadLetter): OutgoingRecord {
  return {
    partition: letter.partition,
    timestamp: letter.recordTime ?? letter.createdAt,
    key: letter.key,
    value: letter.payload,
    headers: [
      // A letter that was fed again before and set aside once more says who did that last.
      ...letter.headers.filter((header) => !isRedriveHeader(header)),
      { key: redriveHeader, value: Buffer.from(unescapeText(letter.operator)) },
      { key: redrivePipelineHeader, value: Buffer.from(letter.pipeline) },
    ],
  }
}

function parsePosition(position: string): readonly DeadLetterKey[] {
  return z.array(z.string()).parse(JSON.parse(position)).map(parseKey)
}
