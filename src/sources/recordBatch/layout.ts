/**
 * Where the fields of a record batch v2 header lie, all big-endian.
 *
 * Source: KIP-98 and https://kafka.apache.org/documentation/#recordbatch. The length counts what follows its own field; the CRC
 * covers everything from the attributes to the end, so neither the base offset nor the leader epoch, which a broker sets.
 */
export const BASE_OFFSET = 0
export const BATCH_LENGTH = 8
export const LEADER_EPOCH = 12
export const MAGIC = 16
export const CRC = 17
export const ATTRIBUTES = 21
export const LAST_OFFSET_DELTA = 23
export const BASE_TIMESTAMP = 27
export const MAX_TIMESTAMP = 35
export const PRODUCER_ID = 43
export const PRODUCER_EPOCH = 51
export const BASE_SEQUENCE = 53
export const RECORD_COUNT = 57
export const HEADER_BYTES = 61

/** The length field does not count itself and the base offset before it. */
export const LENGTH_STARTS_AT = 12

export const MAGIC_V2 = 2

export const COMPRESSION_MASK = 0x07
export const LOG_APPEND_TIME = 0x08
export const TRANSACTIONAL = 0x10
export const CONTROL = 0x20

export const COMPRESSION_NAMES: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
