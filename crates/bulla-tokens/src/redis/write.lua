-- KEYS: entry, index, epoch, lease
-- ARGV: version, entry, keep ms (0: for ever), condition (any, live, or a version), lease (number ":" holder; empty: none), member,
--       most entries, a version that is not believed (empty: none)
local epoch = redis.call('GET', KEYS[3]) or ''
if ARGV[5] ~= '' then
  local lease = redis.call('GET', KEYS[4]) or ''
  if string.sub(lease, 1, 21) .. string.sub(lease, 43) ~= ARGV[5] then return {'lease'} end
  -- The epoch that the holder saw: what comes of what was revoked since is not stored.
  if string.sub(lease, 22, 41) ~= (epoch == '' and '00000000000000000000' or epoch) then return {'lease'} end
end
local head = redis.pcall('GETRANGE', KEYS[1], 0, 20)
if type(head) == 'table' then
  if not string.find(head.err, 'WRONGTYPE', 1, true) then return head end
  head = 'nothing of the vault'
end
local version, live = '', false
if head ~= '' and not string.match(head, '^1%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d$') then
  if ARGV[4] ~= 'any' and ARGV[4] ~= 'live' then return {'malformed'} end
  live = true
elseif head ~= '' then
  version = string.sub(head, 2)
  live = redis.call('STRLEN', KEYS[1]) > 21
  if version == ARGV[8] then version = '' end
  if version == ARGV[1] and redis.call('GET', KEYS[1]) == ARGV[2] then return {'stored'} end
end
if ARGV[4] == 'live' then
  if not live then return {'absent'} end
elseif ARGV[4] == '00000000000000000000' then
  if live then return {'conflict', version} end
elseif ARGV[4] ~= 'any' then
  if version ~= ARGV[4] then return {'conflict', version} end
end
local highest = version
if epoch > highest then highest = epoch end
if highest >= ARGV[1] then return {'conflict', highest} end
if #ARGV[2] == 21 then
  -- What frees memory comes first: Redis then does not refuse the rest for want of memory.
  redis.call('ZREM', KEYS[2], ARGV[6])
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return {'stored'}
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if not live and redis.call('ZCOUNT', KEYS[2], string.format('%.0f', now), '+inf') >= tonumber(ARGV[7]) then return {'full'} end
-- The first write is the one that Redis may refuse for want of memory; then nothing of this has happened.
if ARGV[3] == '0' then
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('ZADD', KEYS[2], '+inf', ARGV[6])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[6])
end
-- What is gone is cleared away where the index grows.
if not live then redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. string.format('%.0f', now)) end
return {'stored'}
