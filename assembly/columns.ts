// AssemblyScript, compiled by scripts/buildAssembly.ts. Reads frames of one zod schema into columns, by steps that src/codecs/columns/columnDecoder.ts writes
// into the memory. What it does not know it says nothing about: that frame is left to the reader in JavaScript, and from there to zod.

/** By row, four bytes: where its frame starts in the caller's buffer, and how long it is; and what to add to come into the memory. */
export let starts: usize = 0
export let lengths: usize = 0
export let shift: i32 = 0
/** The bytes of the frames: what does not lie in them is no frame. */
export let inputStart: usize = 0
export let inputEnd: usize = 0
/** By row, one byte: one more than the number of the layout by which its frame was read, or 0. */
export let layouts: usize = 0
/** The steps of each layout, `layoutBytes` apart. */
export let program: usize = 0
export let layoutCount: i32 = 0
/** A byte for every object and array that is open while a value is passed over. */
export let closers: usize = 0
/** Counts the numbers that are left to be read from their text: their cells hold a NaN with the place of the text in its low half. */
export let oddNumbers: i32 = 0
/** Counts the texts that are in no dictionary. */
export let otherTexts: i32 = 0
/** How far behind its cell in a column of texts the end of a text stands that is in no dictionary. */
export let textEnds: usize = 0
/** Where a text goes whose escapes are resolved. */
export let resolved: usize = 0

const layoutBytes: usize = 131072
const stepBytes: usize = 64

/** What a step has: its kind, how long its value was last, how many fixed bytes come before the value, where those are, its column, and what else its kind needs. */
const LAST: usize = 1
const LENGTH: usize = 2
const FIXED: usize = 4
const COLUMN: usize = 8
/** A dictionary, or how deep a value that is passed over may be nested. */
const EXTRA: usize = 12
/** Whether texts are checked. */
const CHECKED: usize = 16
const MIN: usize = 16
const MAX: usize = 24
/** Of an int: how far above the least one the greatest is. */
const SPAN: usize = 24
/** The first sixteen fixed bytes, and which of their bits count. */
const FIRST: usize = 32
const MASK: usize = 48

const END: u8 = 0
const INT: u8 = 1
const FIXED8: u8 = 2
const TEXT: u8 = 3
const BOOLEAN: u8 = 4
const NUMBER: u8 = 5

/**
 * A dictionary: its number of texts, where the next long one goes, and whether it is left alone for now. Its table has numbers of texts, one more than they are, so that it is small; and the texts of up to fifteen bytes lie by their
 * numbers, with the quote that ends them, filled up with zeros to sixteen: with thousands of them, it is what a look-up has to load that counts. Texts of more have ones there, and a place by their numbers, where their length is and their bytes are behind it.
 */
const COUNT: usize = 0
const STORE_END: usize = 4
const ALONE: usize = 8
const TABLE: usize = 64
const tableBits: u64 = 15
const mostTexts: u32 = 16384
const SHORT: usize = TABLE + 65600
const PLACES: usize = SHORT + 16384 * 16
const STORE: usize = PLACES + 16384 * 4
const storeBytes: usize = 786432
const longestText: usize = 64
/** Keeps texts that were chosen to collide from making every look-up long. */
const mostProbes: usize = 16

/** A NaN whose low half is free. */
const boxed: u64 = 0x7ff8000000000000
/** With an integer part below this, a count of 1e-8 is a safe integer. */
const safeIntegerPart: u64 = 90071992

const powersOfTen = memory.data<f64>([
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
])
/** Sixteen bytes each, which are faster loaded than made by every use. */
const zeros = memory.data<u64>([0x3030303030303030, 0x3030303030303030], 16)
/** What makes more than seven bits of more than nine. */
const overNine = memory.data<u64>([0x7676767676767676, 0x7676767676767676], 16)
const tensAndOnes = memory.data<u64>([0x010a010a010a010a, 0x010a010a010a010a], 16)
const hundreds = memory.data<u64>([0x0001006400010064, 0x0001006400010064], 16)
const tenThousands = memory.data<u64>([0x0001271000012710, 0x0001271000012710], 16)
const quotes = memory.data<u64>([0x2222222222222222, 0x2222222222222222], 16)
const backslashes = memory.data<u64>([0x5c5c5c5c5c5c5c5c, 0x5c5c5c5c5c5c5c5c], 16)
const blanks = memory.data<u64>([0x2020202020202020, 0x2020202020202020], 16)
/** By the letter behind a backslash: the character that both stand for, in one byte; 0 where there is more to it. */
const escaped = memory.data(256)
/**
 * How to move the digits of a number that are in sixteen bytes, by how many are before the point and behind it: to the right end of sixteen, and, for counts of 1e-8, to both sides of
 * the middle. A place that none moves to becomes 0.
 */
const toTheRight = memory.data(17 * 16 * 16)
const toTheMiddle = memory.data(9 * 16 * 16)
/** By the length of a text: what leaves that and the quote behind it, of sixteen bytes. */
const beginnings = memory.data(16 * 16, 16)

/** Once, before the first call. */
export function prepare(): void {
  store<u8>(escaped + 0x22, 0x22)
  store<u8>(escaped + 0x5c, 0x5c)
  store<u8>(escaped + 0x2f, 0x2f)
  store<u8>(escaped + 0x62, 0x08)
  store<u8>(escaped + 0x66, 0x0c)
  store<u8>(escaped + 0x6e, 0x0a)
  store<u8>(escaped + 0x72, 0x0d)
  store<u8>(escaped + 0x74, 0x09)
  for (let length = 0; length < 16; length++) {
    for (let place = 0; place <= length; place++) store<u8>(beginnings + <usize>((length << 4) + place), 0xff)
  }
  for (let whole = 0; whole <= 16; whole++) {
    for (let part = 0; part < 16; part++) {
      for (let place = 0; place < 16; place++) {
        const digit = place - 16 + whole + part
        store<u8>(toTheRight + movesOf(whole, part) + place, digit < 0 ? 0x80 : <u8>(digit < whole ? digit : digit + 1))
        if (whole > 8) continue
        const left = place - 8 + whole
        const right = place - 8 < part ? <u8>(whole + 1 + place - 8) : 0x80
        store<u8>(toTheMiddle + movesOf(whole, part) + place, place >= 8 ? right : left < 0 ? 0x80 : <u8>left)
      }
    }
  }
}

function movesOf(whole: i32, part: i32): usize {
  return <usize>(((whole << 4) | part) << 4)
}

/** Reads the rows from `from` to `to` that are unread, and says how many stay so. */
export function decode(from: usize, to: usize): i32 {
  let left = 0
  let newest: i32 = 0
  for (let row = from; row < to; row++) {
    const length = load<i32>(lengths + (row << 2))
    if (length < 0 || load<u8>(layouts + row) !== 0) continue
    const start = <usize>(load<i32>(starts + (row << 2)) + shift)
    const end = start + length
    if (start < inputStart || end > inputEnd) {
      left++
      continue
    }
    if (newest < layoutCount && readBy(program + <usize>newest * layoutBytes, row, start, end)) {
      store<u8>(layouts + row, <u8>(newest + 1))
      continue
    }
    const found = findLayout(newest, row, start, end)
    if (found < 0) left++
    else {
      newest = found
      store<u8>(layouts + row, <u8>(found + 1))
    }
  }
  return left
}

function findLayout(tried: i32, row: usize, start: usize, end: usize): i32 {
  for (let layout: i32 = 0; layout < layoutCount; layout++) {
    if (layout !== tried && readBy(program + <usize>layout * layoutBytes, row, start, end)) return layout
  }
  return -1
}

function readBy(first: usize, row: usize, start: usize, end: usize): bool {
  let at = start
  let step = first
  while (true) {
    const length = <usize>load<u16>(step, LENGTH)
    const fixedEnd = at + length
    // Whatever lies behind the frame: the last step sees that it ended where it should.
    if (length <= 8) {
      if (((load<u64>(at) ^ load<u64>(step, FIRST)) & load<u64>(step, MASK)) !== 0) return false
    } else {
      if (v128.any_true(v128.and(v128.xor(v128.load(at), v128.load(step, FIRST)), v128.load(step, MASK)))) return false
      if (length > 16 && !isSame(at, fixedEnd, <usize>load<u32>(step, FIXED))) return false
    }
    switch (load<u8>(step)) {
      case INT:
        at = readInt(step, row, fixedEnd)
        break
      case FIXED8:
        at = readFixed8(step, row, fixedEnd)
        break
      case TEXT:
        at = readText(step, row, fixedEnd, end)
        break
      case BOOLEAN:
        at = readBoolean(step, row, fixedEnd)
        break
      case NUMBER:
        at = readNumber(step, row, fixedEnd, end)
        break
      case END:
        return fixedEnd === end
      default:
        at = load<u32>(fixedEnd) === 0x65757274 ? fixedEnd + 4 : valueEnd(fixedEnd, end, <usize>load<u32>(step, EXTRA))
    }
    if (at === 0) return false
    step += stepBytes
  }
}

/** Whether the bytes behind the first sixteen are those at `fixed`. */
function isSame(start: usize, end: usize, fixed: usize): bool {
  let at = start + 16
  let other = fixed + 16
  for (; at + 8 <= end; at += 8, other += 8) if (load<u64>(at) !== load<u64>(other)) return false
  // The last eight, some of which may have been compared already.
  const back = at + 8 - end
  return load<u64>(at - back) === load<u64>(other - back)
}

/** Sixteen bytes of text as what they are worth as digits; more than nine where they are none. */
function digitsAt(start: usize): v128 {
  return i8x16.sub(v128.load(start), v128.load(zeros))
}

/** A bit for each of sixteen bytes that is no digit, and one behind them. */
function othersIn(digits: v128): u32 {
  return <u32>i8x16.bitmask(i8x16.add_sat_u(digits, v128.load(overNine))) | 0x10000
}

/** Two halves of eight digits each, as the first two of four words. */
function halvesOf(digits: v128): v128 {
  const twos = i16x8.relaxed_dot_i8x16_i7x16_s(digits, v128.load(tensAndOnes))
  const fours = i32x4.dot_i16x8_s(twos, v128.load(hundreds))
  return i32x4.dot_i16x8_s(i16x8.narrow_i32x4_u(fours, fours), v128.load(tenThousands))
}

/** What sixteen digits are worth. */
function worthOf(digits: v128): u64 {
  const halves = halvesOf(digits)
  return <u64>i32x4.extract_lane(halves, 0) * 100000000 + <u64>i32x4.extract_lane(halves, 1)
}

function isDigit(byte: u8): bool {
  return <u8>(byte - 0x30) < 10
}

/**
 * Where a value of so many bytes ends. Mostly it is as long as the one before it: with that said by a branch, which is foreseen, and not by a sum of what was just counted, what is behind it need not wait for
 * the count.
 */
function endOf(step: usize, start: usize, length: u32): usize {
  const last = <u32>load<u8>(step, LAST)
  if (last !== length) {
    store<u8>(step, <u8>length, LAST)
    return start + length
  }
  return start + last
}

/** All of these give where the value ends, or 0 where they do not know it. */
function readInt(step: usize, row: usize, start: usize): usize {
  const digits = digitsAt(start)
  const count = ctz(othersIn(digits))
  if (count - 1 > 14 || (load<u8>(start) === 0x30 && count !== 1)) return readUnusualInt(step, row, start)
  const size = worthOf(i8x16.relaxed_swizzle(digits, v128.load(toTheRight + movesOf(count, 0))))
  if (size - load<u64>(step, MIN) > load<u64>(step, SPAN)) return 0
  store<f64>(<usize>load<u32>(step, COLUMN) + (row << 3), <f64>(<i64>size))
  return endOf(step, start, count)
}

/**
 * A negative one, or one of sixteen digits. Exported for no other reason than that the compiler leaves it a function of its own then: within the loop over all steps it would take registers that
 * everything else there needs, a tenth of the time of a frame.
 */
export function readUnusualInt(step: usize, row: usize, start: usize): usize {
  const isNegative = load<u8>(start) === 0x2d
  const from = isNegative ? start + 1 : start
  const digits = digitsAt(from)
  const count = ctz(othersIn(digits))
  if (count === 0 || (count > 1 && load<u8>(from) === 0x30) || (count === 16 && isDigit(load<u8>(from + 16)))) return 0
  const size = worthOf(i8x16.relaxed_swizzle(digits, v128.load(toTheRight + movesOf(count, 0))))
  const value = isNegative ? 0 - size : size
  if (value - load<u64>(step, MIN) > load<u64>(step, SPAN)) return 0
  store<f64>(<usize>load<u32>(step, COLUMN) + (row << 3), isNegative ? -(<f64>(<i64>size)) : <f64>(<i64>size))
  return from + count
}

/** Up to eight digits before the point and behind it, in sixteen bytes together. */
function readFixed8(step: usize, row: usize, start: usize): usize {
  const digits = digitsAt(start)
  const others = othersIn(digits)
  const whole = ctz(others)
  if (whole - 1 > 7 || (whole > 1 && load<u8>(start) === 0x30)) return 0
  let part: u32 = 0
  let at = start + whole
  if (load<u8>(at) === 0x2e) {
    const end = ctz(others & (others - 1))
    part = end - whole - 1
    if (part - 1 > 7) return 0
    at = start + end
  }
  if (load<u8>(at) !== 0x22) return 0
  const size = worthOf(i8x16.relaxed_swizzle(digits, v128.load(toTheMiddle + movesOf(whole, part))))
  if (size >= safeIntegerPart * 100000000) return 0
  store<f64>(<usize>load<u32>(step, COLUMN) + (row << 3), <f64>(<i64>size))
  return endOf(step, start, <u32>(at - start))
}

/** Up to fifteen digits and a power of ten are exact doubles, and so is, once rounded, their quotient. */
function readNumber(step: usize, row: usize, start: usize, end: usize): usize {
  let from = start
  let digits = digitsAt(from)
  let others = othersIn(digits)
  const isNegative = (others & 1) !== 0
  if (isNegative) {
    if (load<u8>(start) !== 0x2d) return 0
    from++
    digits = digitsAt(from)
    others = othersIn(digits)
  }
  const whole = ctz(others)
  if (whole === 0 || (whole > 1 && load<u8>(from) === 0x30)) return 0
  let part: u32 = 0
  let count = whole
  if (load<u8>(from + whole) === 0x2e) {
    count = ctz((others & (others - 1)) | 0x10000)
    part = count - whole - 1
    if (part === 0 && count < 16) return 0
  }
  const at = from + count
  if (count === 16 || (load<u8>(at) | 0x20) === 0x65) return readOddNumber(step, row, start, end)
  const size = <f64>(<i64>worthOf(i8x16.relaxed_swizzle(digits, v128.load(toTheRight + movesOf(whole, part)))))
  const value = size / load<f64>(powersOfTen + ((<usize>part) << 3))
  const signed = isNegative ? -value : value
  if (signed < load<f64>(step, MIN) || signed > load<f64>(step, MAX)) return 0
  store<f64>(<usize>load<u32>(step, COLUMN) + (row << 3), signed)
  return endOf(step, start, <u32>(at - start))
}

/** One whose last bit needs more than a division: its text is left to the caller. */
function readOddNumber(step: usize, row: usize, start: usize, end: usize): usize {
  const at = numberEnd(start, end)
  if (at === 0) return 0
  store<u64>(<usize>load<u32>(step, COLUMN) + (row << 3), boxed | <u64>start)
  oddNumbers++
  return at
}

function readBoolean(step: usize, row: usize, start: usize): usize {
  const word = load<u64>(start)
  const isTrue = <u32>word === 0x65757274
  const isFalse = (word & 0xffffffffff) === 0x65736c6166
  store<f64>(<usize>load<u32>(step, COLUMN) + (row << 3), <f64>(<u32>isTrue))
  return isTrue || isFalse ? start + 5 - <usize>isTrue : 0
}

/** A mark in every byte that is the same as those of `bytes`; right in the lowest that is marked, and maybe wrong above it. */
function marksOf(word: u64, bytes: u64): u64 {
  const difference = word ^ bytes
  return (difference - 0x0101010101010101) & ~difference & 0x8080808080808080
}

/** A bit for each of sixteen bytes that is no plain one of a text: a quote, a backslash, a control character or none of ASCII. */
function unusualIn(bytes: v128): u32 {
  const marks = v128.or(i8x16.eq(bytes, v128.load(quotes)), i8x16.eq(bytes, v128.load(backslashes)))
  return <u32>i8x16.bitmask(v128.or(marks, i8x16.lt_s(bytes, v128.load(blanks))))
}

function mixed(hash: u64, word: u64): u64 {
  return (hash ^ (hash >> 32) ^ word) * 0x9e3779b97f4a7c15
}

/** Where the table of the dictionary is asked first for a text. */
function cellOf(dictionary: usize, hash: u64): usize {
  return dictionary + TABLE + ((<usize>(hash >> (64 - tableBits))) << 1)
}

/** Where a text of up to fifteen bytes lies whose number is one less than this. */
function shortOf(dictionary: usize, number: usize): usize {
  return dictionary + SHORT - 16 + (number << 4)
}

function readText(step: usize, row: usize, start: usize, end: usize): usize {
  const bytes = v128.load(start)
  const length = ctz(<u32>i8x16.bitmask(i8x16.eq(bytes, v128.load(quotes))) | 0x10000)
  if (length === 16) return readLongText(step, row, start, end)
  const text = v128.and(bytes, v128.load(beginnings + ((<usize>length) << 4)))
  const dictionary = <usize>load<u32>(step, EXTRA)
  const number = <usize>(
    load<u16>(cellOf(dictionary, mixed(mixed(0, i64x2.extract_lane(text, 0)), i64x2.extract_lane(text, 1))))
  )
  if (number === 0 || v128.any_true(v128.xor(v128.load(shortOf(dictionary, number)), text))) {
    return readLongText(step, row, start, end)
  }
  store<i32>(<usize>load<u32>(step, COLUMN) + (row << 2), <i32>number - 1)
  return endOf(step, start, length)
}

/** One of sixteen bytes or more, one that is new, or one whose place in the table another one took. */
function readLongText(step: usize, row: usize, start: usize, end: usize): usize {
  const dictionary = <usize>load<u32>(step, EXTRA)
  if (load<u32>(dictionary, ALONE) !== 0) return readPlainText(step, row, start, end)
  let at = start
  let hash: u64 = 0
  let word = load<u64>(at)
  let marks = marksOf(word, 0x2222222222222222)
  while (marks === 0) {
    hash = mixed(hash, word)
    at += 8
    if (at - start >= longestText) return readPlainText(step, row, start, end)
    word = load<u64>(at)
    marks = marksOf(word, 0x2222222222222222)
  }
  const bits = ctz(marks) & 56
  const stop = at + <usize>(bits >> 3)
  if (stop >= end) return 0
  const tail = (word & (((<u64>1) << bits) - 1)) | ((<u64>0x22) << bits)
  hash = mixed(hash, tail)
  const length = <u32>(stop - start)
  // A short one is looked for by sixteen bytes.
  if (length < 8) hash = mixed(hash, 0)
  const first = cellOf(dictionary, hash)
  // Behind the table are cells for those that are asked last.
  for (let cell = first; cell < first + mostProbes * 2; cell += 2) {
    const number = <usize>load<u16>(cell)
    if (number === 0) return addText(step, row, start, stop, end, tail, cell)
    if (isText(dictionary, number, length, start, at, tail)) {
      store<i32>(<usize>load<u32>(step, COLUMN) + (row << 2), <i32>number - 1)
      return stop
    }
  }
  return readPlainText(step, row, start, end)
}

/** Whether the text of the number is that of so many bytes whose last ones are `tail`. */
function isText(dictionary: usize, number: usize, length: u32, start: usize, last: usize, tail: u64): bool {
  const short = shortOf(dictionary, number)
  if (length < 16) return isEntry(short, start, last, tail)
  if (load<u8>(short, 15) !== 0xff) return false
  const entry = <usize>load<u32>(dictionary + PLACES + ((number - 1) << 2))
  return load<u32>(entry) === length && isEntry(entry + 8, start, last, tail)
}

function isEntry(entry: usize, start: usize, last: usize, tail: u64): bool {
  let other = entry
  for (let at = start; at < last; at += 8, other += 8) if (load<u64>(at) !== load<u64>(other)) return false
  return load<u64>(other) === tail
}

/** Whether a text is valid, if it is not of ASCII, and whether the schema takes it, is for the caller to find out, who looks at each new one once. */
function addText(step: usize, row: usize, start: usize, stop: usize, end: usize, tail: u64, cell: usize): usize {
  const dictionary = <usize>load<u32>(step, EXTRA)
  const code = load<u32>(dictionary, COUNT)
  if (code === mostTexts) return readPlainText(step, row, start, end)
  const isLong = stop - start >= 16
  const entry = <usize>load<u32>(dictionary, STORE_END)
  if (isLong && entry + longestText + 8 > dictionary + STORE + storeBytes) return readPlainText(step, row, start, end)
  const short = shortOf(dictionary, <usize>code + 1)
  let other = isLong ? entry + 8 : short
  let at = start
  for (; at + 8 <= stop; at += 8, other += 8) {
    if (hasEscape(load<u64>(at))) return readPlainText(step, row, start, end)
    store<u64>(other, load<u64>(at))
  }
  // Zeros behind the end would look like control characters.
  if (hasEscape(tail | (0x2020202020202020 << ((<u64>(stop - at)) << 3)))) return readPlainText(step, row, start, end)
  store<u64>(other, tail)
  if (isLong) {
    store<u64>(short, u64.MAX_VALUE)
    store<u64>(short, u64.MAX_VALUE, 8)
    store<u32>(entry, <u32>(stop - start))
    store<u32>(dictionary + PLACES + ((<usize>code) << 2), <u32>entry)
    store<u32>(dictionary, <u32>(other + 8), STORE_END)
  } else if (other === short) store<u64>(short, 0, 8)
  store<u32>(dictionary, code + 1, COUNT)
  store<u16>(cell, <u16>(code + 1))
  store<i32>(<usize>load<u32>(step, COLUMN) + (row << 2), <i32>code)
  return stop
}

/** Whether one of eight bytes is a backslash or a control character. */
function hasEscape(word: u64): bool {
  return (marksOf(word, 0x5c5c5c5c5c5c5c5c) | ((word - 0x2020202020202020) & ~word & 0x8080808080808080)) !== 0
}

/** A text that is in no dictionary: its cell says where it is in the memory, as a number below zero, and the one that goes with it where it ends. */
function readPlainText(step: usize, row: usize, start: usize, end: usize): usize {
  if (load<u8>(step, CHECKED) !== 0) return 0
  let at = start
  let unusual = unusualIn(v128.load(at))
  while (unusual === 0 && at < end) {
    at += 16
    unusual = unusualIn(v128.load(at))
  }
  at += ctz(unusual)
  if (at >= end) return 0
  const byte = load<u8>(at)
  if (byte === 0x5c) return readEscapedText(step, row, start, end)
  if (byte !== 0x22) return 0
  keepText(step, row, start, at)
  return at
}

/** One with escapes, each of which stands for a character of one byte: its end is told as a number below zero, so that whoever wants the text has them resolved. */
function readEscapedText(step: usize, row: usize, start: usize, end: usize): usize {
  let at = start
  while (at < end) {
    const count = ctz(unusualIn(v128.load(at)) | 0x10000)
    at += count
    if (count === 16 || at >= end) continue
    const byte = load<u8>(at)
    if (byte === 0x22) {
      keepText(step, row, start, ~at)
      return at
    }
    if (byte !== 0x5c || load<u8>(escaped + <usize>load<u8>(at + 1)) === 0) return 0
    at += 2
  }
  return 0
}

/** Writes such a text without its escapes to where `resolved` says, and gives where it ends there. */
export function resolve(start: usize, end: usize): usize {
  let at = start
  let to = resolved
  while (true) {
    const bytes = v128.load(at)
    v128.store(to, bytes)
    const count = ctz(<u32>i8x16.bitmask(i8x16.eq(bytes, v128.load(backslashes))) | 0x10000)
    at += count
    to += count
    if (at >= end) return to - (at - end)
    if (count === 16) continue
    store<u8>(to, load<u8>(escaped + <usize>load<u8>(at + 1)))
    to++
    at += 2
  }
}

function keepText(step: usize, row: usize, start: usize, end: usize): void {
  otherTexts++
  const cell = <usize>load<u32>(step, COLUMN) + (row << 2)
  store<i32>(cell, ~(<i32>start))
  store<i32>(cell + textEnds, <i32>end)
}

/** Where the closing quote of a text of ASCII is whose content starts at `start`. */
function textEnd(start: usize, end: usize): usize {
  let at = start
  while (at < end) {
    const unusual = unusualIn(v128.load(at))
    if (unusual === 0) {
      at += 16
      continue
    }
    at += ctz(unusual)
    if (at >= end) return 0
    const byte = load<u8>(at)
    if (byte === 0x22) return at
    at = byte === 0x5c ? escapeEnd(at) : 0
    if (at === 0) return 0
  }
  return 0
}

/** Where an escape ends that starts at the backslash. */
function escapeEnd(start: usize): usize {
  const letter = load<u8>(start + 1)
  if (load<u8>(escaped + <usize>letter) !== 0) return start + 2
  if (letter !== 0x75) return 0
  for (let at = start + 2; at < start + 6; at++) {
    const byte = load<u8>(at)
    if (!isDigit(byte) && <u8>((byte | 0x20) - 0x61) > 5) return 0
  }
  return start + 6
}

function blanksEnd(start: usize, end: usize): usize {
  let at = start
  while (at < end && (load<u8>(at) === 0x20 || load<u8>(at) === 0x09)) at++
  return at
}

/** Where a value ends that nobody asks for; texts in it that are not of ASCII are not known here. */
function valueEnd(start: usize, end: usize, levels: usize): usize {
  let at = start
  let depth: usize = 0
  while (true) {
    if (at >= end) return 0
    const first = load<u8>(at)
    if (first === 0x22) {
      at = textEnd(at + 1, end)
      if (at === 0) return 0
      at++
    } else if (first === 0x7b || first === 0x5b) {
      if (depth === levels) return 0
      // Both closers are two above their openers in ASCII.
      store<u8>(closers + depth, first + 2)
      depth++
      at = blanksEnd(at + 1, end)
      if (at >= end) return 0
      if (load<u8>(at) !== first + 2) {
        if (first === 0x7b) at = memberStart(at, end)
        if (at === 0) return 0
        continue
      }
      depth--
      at++
    } else {
      at = scalarEnd(at, end)
      if (at === 0) return 0
    }
    // A value is complete here: close what ends with it, until a comma asks for the next one.
    while (true) {
      if (depth === 0) return at
      at = blanksEnd(at, end)
      if (at >= end) return 0
      const next = load<u8>(at)
      const closer = load<u8>(closers + depth - 1)
      at++
      if (next === 0x2c) {
        at = blanksEnd(at, end)
        if (closer === 0x7d) at = memberStart(at, end)
        if (at === 0) return 0
        break
      }
      if (next !== closer) return 0
      depth--
    }
  }
}

/** Where the value of a member of an object starts, whose name starts at `start`. */
function memberStart(start: usize, end: usize): usize {
  if (start >= end || load<u8>(start) !== 0x22) return 0
  let at = textEnd(start + 1, end)
  if (at === 0) return 0
  at = blanksEnd(at + 1, end)
  return at < end && load<u8>(at) === 0x3a ? blanksEnd(at + 1, end) : 0
}

function scalarEnd(start: usize, end: usize): usize {
  const word = load<u32>(start)
  if (word === 0x65757274 || word === 0x6c6c756e) return start + 4 <= end ? start + 4 : 0
  if (word === 0x736c6166) return start + 5 <= end && load<u8>(start + 4) === 0x65 ? start + 5 : 0
  return numberEnd(start, end)
}

function digitsEnd(start: usize, end: usize): usize {
  let at = start
  while (at < end && isDigit(load<u8>(at))) at++
  return at
}

function numberEnd(start: usize, end: usize): usize {
  const first = load<u8>(start) === 0x2d ? start + 1 : start
  let at = digitsEnd(first, end)
  if (at === first || (at > first + 1 && load<u8>(first) === 0x30)) return 0
  if (at < end && load<u8>(at) === 0x2e) {
    const from = at + 1
    at = digitsEnd(from, end)
    if (at === from) return 0
  }
  if (at < end && (load<u8>(at) | 0x20) === 0x65) {
    at++
    if (at < end && (load<u8>(at) === 0x2b || load<u8>(at) === 0x2d)) at++
    const from = at
    at = digitsEnd(from, end)
    if (at === from) return 0
  }
  return at
}
