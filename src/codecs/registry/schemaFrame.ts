import type { RecordView } from '../../runtime/log/record.ts'

/** Before the body: a zero byte and the id of the schema, four bytes, the high one first. */
export const frameHeaderBytes = 5

/** The id that stands before the body of the record, or what is wrong with its beginning. */
export function schemaIdOf({ buffer, valueStart, valueLength }: RecordView): number | string {
  if (valueLength < frameHeaderBytes) {
    return `${valueLength} bytes, where a zero byte and the four bytes of a schema id come first`
  }
  if (buffer[valueStart] !== 0) {
    return `begins with byte ${buffer[valueStart]}, where a zero byte stands before the id of a schema; it was not written by a schema registry's serializer`
  }
  const id = buffer.readInt32BE(valueStart + 1)
  return id > 0 ? id : `schema id ${id}; ids begin at 1`
}

/** The header of a body that was written with the schema. */
export function writeFrameHeader(buffer: Buffer, schemaId: number): void {
  buffer[0] = 0
  buffer.writeInt32BE(schemaId, 1)
}
