import { type WasmCell, WasmFile } from '../wasmFile.ts'

/** What `assembly/columns.ts` exports. */
export interface Decoder {
  readonly starts: WasmCell
  readonly lengths: WasmCell
  readonly shift: WasmCell
  readonly inputStart: WasmCell
  readonly inputEnd: WasmCell
  readonly layouts: WasmCell
  readonly program: WasmCell
  readonly layoutCount: WasmCell
  readonly closers: WasmCell
  readonly oddNumbers: WasmCell
  readonly otherTexts: WasmCell
  readonly textEnds: WasmCell
  readonly resolved: WasmCell
  prepare(): void
  decode(from: number, to: number): number
  resolve(start: number, end: number): number
}

const file = new WasmFile('codecs/columns/columns.wasm', 'columns.ts')

/** A decoder with a memory of its own that holds so many bytes; null where there is none to be had. Throws as `WasmFile.open` does. */
export function openDecoder(bytes: number): { readonly decoder: Decoder; readonly memory: ArrayBuffer } | null {
  const opened = file.open(bytes)
  return opened && { decoder: opened.exports as Decoder, memory: opened.memory }
}
