// AssemblyScript, compiled by scripts/buildAssembly.ts. Writes records as lines of the archive, many in a call, by what src/sinks/archive/spanLines.ts puts into the memory. What it does not know it
// does not write: it stops before that record, which is left to JavaScript.

/** Behind the bytes that keys and values lie in. */
export let inputEnd: usize = 0
/** Whose fields are meant: those of keys that another has met have to be told to this one first. */
export let owner: i32 = 0
/** How many bytes of lines there are. */
export let written: i32 = 0
/** Where the field of the key belongs at which it stopped; 0 where it stopped for another reason. */
export let missing: usize = 0

/** How many records it can be told of. */
const rows: usize = 512
const slotBytes: usize = 128
/** By record: its offset and its time, and where its key and its value lie, as in `RecordColumns`. */
const OFFSETS: usize = 4096
const TIMESTAMPS: usize = OFFSETS + rows * 8
const KEY_STARTS: usize = TIMESTAMPS + rows * 8
const KEY_LENGTHS: usize = KEY_STARTS + rows * 4
const VALUE_STARTS: usize = KEY_LENGTHS + rows * 4
const VALUE_LENGTHS: usize = VALUE_STARTS + rows * 4
const HEADERS_LENGTHS: usize = VALUE_LENGTHS + rows * 4
/** What stands between the time and the value of a record without a key, as in a slot. */
const NO_KEY: usize = HEADERS_LENGTHS + rows * 4
/** What a line begins with, as the last one had it. */
const HEAD: usize = NO_KEY + slotBytes
/** By a hash of keys: whose it is, how long the key and its field are, and the bytes of both. */
const SLOTS: usize = 65536
const slotBits: u64 = 12
const KEY: usize = 8
const longestKey: i32 = 40
const FIELD: usize = KEY + 40
const INPUT: usize = SLOTS + 4096 * slotBytes
const inputBytes: usize = 262144
/** Bytes are copied sixteen at a time, so that some behind a text are read and written over. */
const spare: usize = 64
const OUTPUT: usize = INPUT + inputBytes + spare
const outputBytes: usize = 327680

/** An object is two bytes. */
const leastValue: i32 = 2
const longestValue: i32 = 16384
/** Numbers from here on have more than fifteen digits. */
const tooLarge: f64 = 1e15
/** Names and digits of a head, and of a field. */
const headBytes: usize = 64
const offsetNameBytes: usize = 10
const timestampNameBytes: usize = 13

/** What the head says, and where its offset and itself end. */
let headOffset: u64 = 0
let headTime: u64 = 0
let offsetEnd: usize = 0
let headEnd: usize = 0

/** The slot of the last key. */
let lastSlot: usize = SLOTS

/** Once, before the first call. */
export function prepare(): void {
  // {"offset":
  store<u64>(HEAD, 0x74657366666f227b)
  store<u16>(HEAD, 0x3a22, 8)
  // A place that is next to none.
  headOffset = u64.MAX_VALUE - 1
}

/**
 * Writes the lines of the records from `from` to `to`, behind those that are written, and gives the first that it has not written. Ends with the line that makes them `enough` bytes, and before the first record of
 * `hourEnd` or later. `shift` is what comes to the places of keys and values to make places in the memory.
 */
export function write(from: i32, to: i32, shift: i32, enough: i32, hourEnd: f64): i32 {
  const stop = OUTPUT + min(<usize>enough, outputBytes - headBytes - slotBytes - longestValue - spare)
  let out = OUTPUT + <usize>written
  missing = 0
  let row = from
  for (; row < to && out < stop; row++) {
    const at = (<usize>row) << 2
    const timestamp = load<f64>(TIMESTAMPS + (at << 1))
    const valueLength = load<i32>(VALUE_LENGTHS + at)
    const value = <usize>(load<i32>(VALUE_STARTS + at) + shift)
    if (timestamp >= hourEnd || valueLength < leastValue || valueLength > longestValue) break
    if (value < INPUT || value > inputEnd - <usize>valueLength || load<i32>(HEADERS_LENGTHS + at) !== 0) break
    const slot = slotOf(<usize>(load<i32>(KEY_STARTS + at) + shift), load<i32>(KEY_LENGTHS + at))
    if (slot === 0 || !moveHead(load<f64>(OFFSETS + (at << 1)), timestamp)) break
    out = copied(HEAD, headEnd - HEAD, out)
    out = copied(slot + FIELD, <usize>load<u16>(slot, 6), out)
    out = copied(value, valueLength, out)
    // }\n
    store<u16>(out, 0x0a7d)
    out += 2
  }
  written = <i32>(out - OUTPUT)
  return row
}

function copied(start: usize, length: usize, to: usize): usize {
  for (let at: usize = 0; at < length; at += 16) v128.store(to + at, v128.load(start + at))
  return to + length
}

/** The slot of the key that lies there; 0, and maybe where it should be, where there is none. */
function slotOf(start: usize, length: i32): usize {
  if (length < 0) return NO_KEY
  if (length > longestKey || start < INPUT || start > inputEnd - <usize>length) return 0
  if (isKey(lastSlot, start, length)) return lastSlot
  let hash = <u64>length
  for (let at: usize = 0; at < <usize>length; at += 8) {
    hash = (hash ^ (hash >> 32) ^ wordOf(start + at, <usize>length - at)) * 0x9e3779b97f4a7c15
  }
  const slot = SLOTS + <usize>(hash >> (64 - slotBits)) * slotBytes
  if (!isKey(slot, start, length)) {
    missing = slot
    return 0
  }
  lastSlot = slot
  return slot
}

/** Up to eight bytes, and zeros behind them. */
function wordOf(start: usize, length: usize): u64 {
  return length >= 8 ? load<u64>(start) : load<u64>(start) & (((<u64>1) << ((<u64>length) << 3)) - 1)
}

function isKey(slot: usize, start: usize, length: i32): bool {
  if (load<i32>(slot) !== owner || <i32>load<u16>(slot, 4) !== length) return false
  for (let at: usize = 0; at < <usize>length; at += 8) {
    if (wordOf(start + at, <usize>length - at) !== load<u64>(slot + at, KEY)) return false
  }
  return true
}

/** Has the head say the offset and the time; false where one of them has more digits than are known here, or is no whole number. */
function moveHead(offset: f64, timestamp: f64): bool {
  if (!(timestamp >= 0 && timestamp < tooLarge && offset >= 0 && offset < tooLarge)) return false
  const time = <u64>timestamp
  const place = <u64>offset
  if (<f64>time !== timestamp || <f64>place !== offset) return false
  if (place !== headOffset + 1 || !countOn()) {
    offsetEnd = writeNumber(place, HEAD + offsetNameBytes)
    writeTime(time)
  } else if (time !== headTime) writeTime(time)
  headOffset = place
  return true
}

/** Adds one to the digits of the offset; false where they are too few for that, and then of no use. */
function countOn(): bool {
  let at = offsetEnd - 1
  while (load<u8>(at) === 0x39) {
    store<u8>(at, 0x30)
    at--
  }
  if (at < HEAD + offsetNameBytes) return false
  store<u8>(at, load<u8>(at) + 1)
  return true
}

function writeTime(time: u64): void {
  // ,"timestamp":
  store<u64>(offsetEnd, 0x7473656d6974222c)
  store<u64>(offsetEnd, 0x3a22706d61, 8)
  headTime = time
  headEnd = writeNumber(time, offsetEnd + timestampNameBytes)
}

function writeNumber(value: u64, to: usize): usize {
  if (value < 100000000) return writeFirst(<u32>value, to)
  const high = value / 100000000
  const at = writeFirst(<u32>high, to)
  store<u64>(at, digitsOf(<u32>(value - high * 100000000)) | 0x3030303030303030)
  return at + 8
}

/** Up to eight digits, without zeros before them. */
function writeFirst(value: u32, to: usize): usize {
  const digits = digitsOf(value)
  const zeros = min<u64>(ctz(digits) >> 3, 7)
  store<u64>(to, (digits | 0x3030303030303030) >> (zeros << 3))
  return to + <usize>(8 - zeros)
}

/** The eight digits of a number, a byte each, the first of them lowest: two halves of four, four of two, eight of one. */
function digitsOf(value: u32): u64 {
  const upper = value / 10000
  const fours = <u64>upper | ((<u64>(value - upper * 10000)) << 32)
  const hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f
  const twos = hundreds | ((fours - hundreds * 100) << 16)
  const tens = ((twos * 103) >> 10) & 0x000f000f000f000f
  return tens | ((twos - tens * 10) << 8)
}
