/** The slot of a key on Redis Cluster: CRC16 (XMODEM) of what stands in its first braces, or of all of it, modulo 16384. */
export function keySlot(key: string): number {
  return crc16(Buffer.from(tagOf(key))) % 16_384
}

function tagOf(key: string): string {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : key
}

function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    crc &= 0xffff
  }
  return crc
}
