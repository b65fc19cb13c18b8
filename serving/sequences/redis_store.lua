-- The calls of the Redis store. Each is one script, so that nothing else happens in between.
--
-- KEYS: six of the model, then, for calls about one sequence, its hash and its lease.
-- ARGV: the call's name, 1 when it is sent a second time because the first answer was lost, then what the call takes.

local live, ended = KEYS[1], KEYS[2]     -- sorted sets: member (`u:7`) -> moment of the last successful call
local sizes, totals = KEYS[3], KEYS[4]   -- hashes: member -> `<bytes> <version>`; `bytes` and version -> number
local starting, fences = KEYS[5], KEYS[6] -- sorted set: member -> moment when it counts no more; the last fencing number
local sequence, lease = KEYS[7], KEYS[8]
local name, again = ARGV[1], ARGV[2] == '1'
local KEPT_MS = 3600000  -- a lease that has run out still tells who had it last

local function now()  -- microseconds since 1970, by the one clock that all servers share
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function text(number)
  return string.format('%.0f', number)
end

local function uncount(member)  -- whether it was live
  local size = redis.call('HGET', sizes, member)
  if not size then return false end
  local bytes, version = string.match(size, '^(%d+) (%-?%d+)$')
  redis.call('HINCRBY', totals, 'bytes', '-' .. bytes)
  local was_live = redis.call('ZREM', live, member) == 1
  if was_live then
    if redis.call('HINCRBY', totals, version, -1) <= 0 then redis.call('HDEL', totals, version) end
  else
    redis.call('ZREM', ended, member)
  end
  redis.call('HDEL', sizes, member)
  return was_live
end

local function uncount_expired(prefix, of, lifetime)  -- lifetime: microseconds, 0 for ever; those that were live
  local found = {}
  if lifetime == 0 then return found end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', of, '-inf', text(now() - lifetime))) do
    if redis.call('EXISTS', prefix .. member) == 0 and uncount(member) then found[#found + 1] = member end
  end
  return found
end

local function mine(token)
  local holder = redis.call('GET', lease)
  return holder and string.sub(holder, 1, #token + 1) == token .. ' '
end

local function hold(token, milliseconds)
  redis.call('SET', lease, token .. ' ' .. text(now() + milliseconds * 1000), 'PX', KEPT_MS)
end

local calls = {}

-- member, server, milliseconds of the lease -> {0, microseconds until the other's lease runs out}
-- or {fencing number, now, field, value, ...}; without a sequence {fencing number, now}, with 'expired' behind them for
-- one that was live until Redis forgot it
function calls.take(member, server, milliseconds)
  local holder = redis.call('GET', lease)
  if holder then
    local other, till = string.match(holder, '^%d+:(%S+) (%d+)$')
    local left = tonumber(till) - now()
    if other ~= server and left > 0 then return {0, left} end
  end
  local fence = redis.call('INCR', fences)
  hold(text(fence) .. ':' .. server, milliseconds)
  local fields = redis.call('HGETALL', sequence)
  if #fields == 0 and uncount(member) then fields = {'expired'} end
  return {fence, now(), unpack(fields)}
end

-- member, token, 1 to keep the lease, then nothing to forget the sequence, or age of the last use in microseconds,
-- lifetime in milliseconds (0: for ever), bytes, version, 1 if ended, field, value, ... -> 1, or 0 when it is another's
function calls.put(member, token, keep, age, lifetime, bytes, version, is_ended, ...)
  if not mine(token) then
    if redis.call('HGET', sequence, 'fence') == token then return 1 end
    local gone = not age and redis.call('EXISTS', sequence, lease) == 0
    return (again and gone) and 1 or 0
  end
  if age then redis.call('HINCRBY', totals, 'bytes', 0) end  -- fails, before anything has changed, without memory
  redis.call('DEL', sequence)
  uncount(member)
  redis.call('ZREM', starting, member)
  if age then
    local used = text(now() - age)
    redis.call('HSET', sequence, 'used', used, 'fence', token, ...)
    if lifetime ~= '0' then redis.call('PEXPIRE', sequence, lifetime) end
    redis.call('HSET', sizes, member, bytes .. ' ' .. version)
    redis.call('HINCRBY', totals, 'bytes', bytes)
    if is_ended == '1' then
      redis.call('ZADD', ended, used, member)
    else
      redis.call('ZADD', live, used, member)
      redis.call('HINCRBY', totals, version, 1)
    end
  end
  if keep ~= '1' then redis.call('DEL', lease) end
  return 1
end

-- token, milliseconds, member, microseconds after which a start counts no more: a call may hold a new one for long
function calls.renew(token, milliseconds, member, microseconds)
  if mine(token) then
    hold(token, milliseconds)
    redis.call('ZADD', starting, 'XX', text(now() + microseconds), member)
  end
  return 1
end

-- token
function calls.release(token)
  if mine(token) then redis.call('DEL', lease) end
  return 1
end

-- member, most sequences, microseconds after which it counts no more, prefix of the sequences' keys, lifetimes of live
-- and ended ones in microseconds -> {1, or 0 when there are as many already; {members that were live until Redis forgot
-- them}}
function calls.reserve(member, most, microseconds, prefix, lifetime, lifetime_ended)
  local expired = uncount_expired(prefix, live, tonumber(lifetime))
  uncount_expired(prefix, ended, tonumber(lifetime_ended))
  redis.call('ZREMRANGEBYSCORE', starting, '-inf', text(now()))
  if redis.call('ZCARD', live) + redis.call('ZCARD', starting) >= tonumber(most) then return {0, expired} end
  redis.call('ZADD', starting, text(now() + microseconds), member)
  return {1, expired}
end

-- member
function calls.unreserve(member)
  return redis.call('ZREM', starting, member)
end

-- version, or nothing for all -> number of live sequences
function calls.live(version)
  if version then return tonumber(redis.call('HGET', totals, version) or 0) end
  return redis.call('ZCARD', live) + redis.call('ZCOUNT', starting, text(now()), '+inf')
end

-- -> bytes of all records
function calls.bytes()
  return tonumber(redis.call('HGET', totals, 'bytes') or 0)
end

-- age in microseconds, 1 for ended ones -> their members, those longest unused first
function calls.unused(age, of_ended)
  return redis.call('ZRANGEBYSCORE', of_ended == '1' and ended or live, '-inf', '(' .. text(now() - age))
end

return calls[name](unpack(ARGV, 3))
