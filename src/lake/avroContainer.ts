import { AvroSink } from '../codecs/avro/avroSink.ts'
import { writerOf } from '../codecs/avro/avroWriter.ts'
import { parseSchema } from '../codecs/avro/parseSchema.ts'
import { frameHeaderBytes } from '../codecs/registry/schemaFrame.ts'

/**
 * An Avro object container file of the rows, uncompressed, in one block.
 * @param schema JSON of an Avro schema
 * @param sync 16 bytes that stand between blocks; the same for the same rows, so that a repeat makes the same file
 * @see "https://avro.apache.org/docs/1.12.0/specification/#object-container-files"
 */
export function avroContainer(
  schema: object,
  metadata: Readonly<Record<string, string>>,
  rows: readonly object[],
  sync: Uint8Array,
): Buffer {
  const text = JSON.stringify(schema)
  const write = writerOf(parseSchema(text))
  const body = new AvroSink()
  body.start()
  for (const row of rows) write(body, row)
  const block = body.take().subarray(frameHeaderBytes)
  const file = new AvroSink()
  file.start()
  file.bytes(Buffer.from('Obj\x01', 'latin1'))
  const entries = Object.entries({ 'avro.schema': text, 'avro.codec': 'null', ...metadata })
  file.long(entries.length)
  for (const [key, value] of entries) {
    file.text(key)
    file.text(value)
  }
  file.byte(0)
  file.bytes(sync)
  file.long(rows.length)
  file.long(block.length)
  file.bytes(block)
  file.bytes(sync)
  return file.take().subarray(frameHeaderBytes)
}
