import { createHash } from 'node:crypto'
import { NUMBER_LIMIT } from './redis-record.ts'

/** A Lua script, and the name under which the server keeps it. */
export interface RedisScript {
  readonly text: string
  readonly sha: string
}

function script(text: string): RedisScript {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

// Every script touches one key, so it runs on Cluster as it stands, and makes every check before its first
// write. Its answer begins with a word. Where it finds that it was applied before, it writes one field again
// as it is: WAIT counts the replicas that have what *this connection* wrote, and would be content at once.

/**
 * The head of a record, also of one that has ended. There is no `deadline` in what is absent and in what is no record,
 * which is judged as `recordFromReply` judges it: a patch of what cannot be read would be lost.
 */
const HEAD = String.raw`
local key = KEYS[1]
local stored = redis.pcall('HMGET', key, '!', '!x', '!h', '!p', '!s')
if stored.err and not string.find(stored.err, 'WRONGTYPE', 1, true) then return stored end
local head, ended, superseded = stored[1], stored[2], stored[4]
local version, touched, expires, nonce, more = string.match(ended or head or '', '^(%-?%d+)\n(%-?%d+)\n(%-?%d+)\n([^\n]*)(.*)$')
local hash, created = string.match(stored[3] or '', '^([^\n]*)\n(%-?%d+)$')
local rotated = superseded and string.match(superseded, '^[^\n]*\n(%-?%d+)$')
local deadline = version and hash and (ended or more == '') and (rotated or not superseded) and tonumber(expires)
if deadline and math.max(math.abs(version), math.abs(touched), math.abs(deadline), math.abs(created), math.abs(rotated or 0)) >= ${NUMBER_LIMIT} then deadline = nil end
-- The highest score that the record's terms were given: its deadline, unless that was moved earlier.
local scored = string.match(stored[5] or '', '^%d+$')
if not scored or tonumber(scored) >= ${NUMBER_LIMIT} then scored = expires end
local function nextVersion() return string.format('%.0f', math.min(version + 1, ${NUMBER_LIMIT - 1})) end
`

/** The terms of the record, for an answer that begins with the words given. */
const TERMS = `
local function withTerms(answer)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 2) == '!i' then answer[#answer + 1] = string.sub(field, 3) end
  end
  return answer
end
`

/**
 * ARGV: now, milliseconds to keep ('' for ever), nonce, token hash, expiresAt, then fields and values.
 * Answers ok and, where something was replaced, the score its terms must have at least; or exists.
 */
export const CREATE = script(`${HEAD}
if deadline and not ended and deadline > tonumber(ARGV[1]) then
  if nonce ~= ARGV[3] or hash ~= ARGV[4] then return {'exists'} end
  redis.call('HSET', key, '!', head)
  return {'ok'}
end
-- What this creation made has ended since, and a client sends it again: an end stays.
if deadline and ended and created == ARGV[1] and (hash == ARGV[4] or string.find(superseded or '', ARGV[4] .. '\\n', 1, true) == 1) then return {'exists'} end
-- Behind a first write Redis lets a script go on although the memory is full, so nothing is deleted in vain.
if redis.call('EXISTS', key) == 1 then redis.call('DEL', key) end
-- Lua's unpack gives some thousands at once.
for first = 6, #ARGV, 1000 do redis.call('HSET', key, unpack(ARGV, first, math.min(first + 999, #ARGV))) end
if ARGV[2] ~= '' then redis.call('PEXPIRE', key, ARGV[2]) end
if not deadline then return {'ok'} end
-- An end that is under way may still take the old record's terms away, up to the old score.
local least = string.format('%.0f', math.max(tonumber(scored) + 1, tonumber(ARGV[5])))
redis.call('HSET', key, '!s', least)
return {'ok', least}
`)

/**
 * ARGV: now, nonce, =token hash or '', =new token hash or '', touchedAt or '', expiresAt or '', 'replace' or '',
 * milliseconds to keep ('' for ever), the numbers of expectations, set and removed entries and terms, then
 * those: field and =text or ''; field and text; field; term.
 * Answers ok, the version and the deadline; gone; or conflict and the record.
 */
const PATCHING = `${HEAD}
if not deadline or ended or deadline <= tonumber(ARGV[1]) then return {'gone'} end
if nonce == ARGV[2] then
  redis.call('HSET', key, '!', head)
  return {'ok', version, expires}
end
if ARGV[3] ~= '' and ARGV[3] ~= '=' .. hash then return {'gone'} end
local sets = 13 + 2 * ARGV[9]
for i = 13, sets - 1, 2 do
  local text = redis.call('HGET', key, ARGV[i])
  local met = not text
  if ARGV[i + 1] ~= '' then met = text == string.sub(ARGV[i + 1], 2) end
  if not met then return {'conflict', redis.call('HGETALL', key)} end
end
local removes = sets + 2 * ARGV[10]
local terms = removes + ARGV[11]

local newVersion = nextVersion()
if ARGV[5] ~= '' and tonumber(ARGV[5]) > tonumber(touched) then touched = ARGV[5] end
local moves = ARGV[6] ~= '' and (ARGV[7] == 'replace' or tonumber(ARGV[6]) > deadline)
if moves then expires = ARGV[6] end
local changed = table.concat({newVersion, touched, expires, ARGV[2]}, '\\n')
redis.call('HSET', key, '!', changed, unpack(ARGV, sets, math.min(removes, sets + 1000) - 1))
for first = sets + 1000, removes - 1, 1000 do
  redis.call('HSET', key, unpack(ARGV, first, math.min(removes, first + 1000) - 1))
end
if ARGV[4] ~= '' then
  redis.call('HSET', key, '!h', string.sub(ARGV[4], 2) .. '\\n' .. created, '!p', hash .. '\\n' .. ARGV[1])
end
for i = removes, terms - 1 do redis.call('HDEL', key, ARGV[i]) end
for i = terms, terms + ARGV[12] - 1 do redis.call('HSET', key, '!i' .. ARGV[i], '') end
if moves then
  local highest = string.format('%.0f', math.max(expires, scored))
  if stored[5] or highest ~= expires then redis.call('HSET', key, '!s', highest) end
  if ARGV[8] == '' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[8]) end
end
`
const PATCHED = `return {'ok', newVersion, expires}`

export const PATCH = script(`${PATCHING}${PATCHED}`)

/** The same, and the server remembers that this connection knows the record as it is now. */
export const PATCH_TRACKED = script(`${PATCHING}redis.call('HEXISTS', key, '!')\n${PATCHED}`)

/**
 * ARGV: the reason, now, the end of the tombstone's time, milliseconds to keep it, the channel, the id.
 * Answers ok, the score of its terms and the terms; ended, when it had ended before; or absent.
 */
export const END = script(`${HEAD}${TERMS}
if ended then
  redis.call('HSET', key, '!x', ended)
  return {'ended'}
end
if not deadline then
  redis.call('DEL', key)
  return {'absent'}
end
local answer = withTerms({'ok', scored})
local tombstone = table.concat({nextVersion(), touched, ARGV[3], nonce, ARGV[1], ARGV[2]}, '\\n')
redis.call('DEL', key)
redis.call('HSET', key, '!x', tombstone, '!h', stored[3], '!s', scored)
if superseded then redis.call('HSET', key, '!p', superseded) end
redis.call('PEXPIRE', key, ARGV[4])
-- A user without the right to publish still ends sessions.
redis.pcall('PUBLISH', ARGV[5], ARGV[6])
return answer
`)

/**
 * ARGV: 'expires', 'touched' or 'created', and the time. Deletes the record when it is past; what is past its
 * deadline must be so by the server's clock as well. Answers ok, the score of its terms and the terms; or absent.
 */
export const SWEEP = script(`${HEAD}${TERMS}
if not deadline then return {'absent'} end
local bound = tonumber(ARGV[2])
local past
if ARGV[1] == 'expires' then
  local time = redis.call('TIME')
  past = deadline <= math.min(bound, time[1] * 1000 + math.floor(time[2] / 1000))
else
  past = not ended and tonumber(ARGV[1] == 'touched' and touched or created) < bound
end
if not past then return {'absent'} end
local answer = withTerms({'ok', scored})
redis.call('DEL', key)
return answer
`)

/**
 * KEYS: the set of a term. ARGV: an id, its score, now, milliseconds that a member stays after its score, and
 * the score of what never expires. Adds the id or raises its score, drops some members that are long past, and
 * keeps the set as long as its last member stays.
 */
export const INDEX = script(`
local key, stay = KEYS[1], tonumber(ARGV[4])
redis.call('ZADD', key, 'GT', ARGV[2], ARGV[1])
local past = redis.call('ZRANGEBYSCORE', key, '-inf', string.format('(%.0f', ARGV[3] - stay), 'LIMIT', 0, 32)
if #past > 0 then redis.call('ZREM', key, unpack(past)) end
local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
if not last then return {'ok'} end
if tonumber(last) >= tonumber(ARGV[5]) then
  redis.call('PERSIST', key)
else
  redis.call('PEXPIRE', key, string.format('%.0f', math.max(0, last - ARGV[3]) + stay))
end
return {'ok'}
`)

/**
 * KEYS: the set of a term. ARGV: an id and a score. Removes the id unless its score is higher: then it was
 * listed again meanwhile.
 */
export const UNINDEX = script(`
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
return {'ok'}
`)
