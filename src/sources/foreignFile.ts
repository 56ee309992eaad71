/** As much of a file is looked at to say what it is. */
export const headBytes = 64 * 1024

const signatures: readonly (readonly [Buffer, string])[] = [
  [Buffer.from('PK\x03\x04', 'latin1'), 'is a zip file. Unpack it first: unzip -p FILE > lines.jsonl.'],
  [Buffer.from('BZh', 'latin1'), 'is packed with bzip2. Unpack it first: bunzip2 -k FILE.'],
  [Buffer.from('\xfd7zXZ\x00', 'latin1'), 'is packed with xz. Unpack it first: unxz -k FILE.'],
  [Buffer.from('7z\xbc\xaf\x27\x1c', 'latin1'), 'is a 7z file. Unpack it first: 7z x FILE.'],
  [
    Buffer.from('PAR1', 'latin1'),
    "is a Parquet file. Make lines of it first: duckdb -c \"COPY (FROM 'FILE') TO 'lines.jsonl'\".",
  ],
  [Buffer.from([0xff, 0xfe]), utf16('UTF-16LE')],
  [Buffer.from([0xfe, 0xff]), utf16('UTF-16BE')],
]

function utf16(encoding: string): string {
  return `is in ${encoding} and not in UTF-8. Make a file of it that is: iconv -f ${encoding} -t UTF-8 FILE > lines.jsonl.`
}

/** What is wrong with a file of lines by its first bytes, and what to do, or null. */
export function foreignFormat(head: Buffer): string | null {
  for (const [signature, words] of signatures) {
    if (head.subarray(0, signature.length).equals(signature)) return words
  }
  if (isTar(head)) return 'is a tar file. Unpack it first: tar -xf FILE.'
  return unmarkedUtf16(head)
}

function isTar(head: Buffer): boolean {
  return head.toString('latin1', 257, 262) === 'ustar'
}

/** Text of Latin letters in UTF-16 has a zero in every second byte, which no line of a damaged file has throughout. */
function unmarkedUtf16(head: Buffer): string | null {
  const looked = Math.min(head.length, 256) & ~1
  if (looked < 8) return null
  let evenZeros = 0
  let oddZeros = 0
  for (let at = 0; at < looked; at += 2) {
    if (head[at] === 0) evenZeros++
    if (head[at + 1] === 0) oddZeros++
  }
  const most = (looked / 2) * 0.9
  if (oddZeros >= most && evenZeros === 0) return utf16('UTF-16LE')
  return evenZeros >= most && oddZeros === 0 ? utf16('UTF-16BE') : null
}

/** What is wrong with lines that should each be one JSON value, by the first of them, or null: a single bad line is not for this to judge. */
export function foreignLines(head: Buffer): string | null {
  const text = head.toString('utf8').replace(/^\uFEFF/, '')
  const isWhole = head.length < headBytes
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  // The last line may be cut.
  const whole = isWhole || lines.length === 1 ? lines : lines.slice(0, -1)
  const [first = '', second] = whole
  if (isArrayOfRecords(text)) {
    return "is one JSON array and not a line a record. Make lines of it first: jq -c '.[]' FILE > lines.jsonl."
  }
  if (/^\s*\{\s*$/.test(first) && second !== undefined && /^\s*"/.test(second)) {
    return 'has records over several lines each and not a line a record. Make lines of them first: jq -c . FILE > lines.jsonl.'
  }
  const separator = [',', ';', '\t'].find((one) => isRow(first, one))
  if (
    separator === undefined ||
    !whole.slice(0, 10).every((line) => columns(line, separator) === columns(first, separator))
  ) {
    return null
  }
  return `is CSV and not JSON: its first line is ${JSON.stringify(first.slice(0, 80))}.`
}

/** An array of objects, or one that goes on in the next line. An array of one stream's events, which the exchange sends in one frame, is none. */
function isArrayOfRecords(text: string): boolean {
  const found = /^\s*\[(\s*)(\{\s*"(?:stream|e)"\s*:\s*"([^"]*)")?/.exec(text)
  if (found === null) return false
  const [, space = '', object, value = ''] = found
  if (space.includes('\n')) return true
  return object !== undefined && (value === 'trade' || value.includes('@'))
}

function isRow(line: string, separator: string): boolean {
  return columns(line, separator) >= 3 && /^[^{}[\]]+$/.test(line.replace(/"[^"]*"/g, 'x'))
}

function columns(line: string, separator: string): number {
  return line.split(separator).length
}
