-- KEYS: lease, number, epoch
-- ARGV: holder, lease ms, number ms
local epoch = redis.call('GET', KEYS[3]) or ''
if not string.match(epoch, '^%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d$') then epoch = '00000000000000000000' end
local lease = redis.call('GET', KEYS[1])
-- A lease of before a revocation is nobody's.
if lease and string.sub(lease, 22, 41) == epoch then
  -- The same attempt asks again where its answer was lost.
  if string.sub(lease, 43) == ARGV[1] then return {0, tonumber(string.sub(lease, 1, 20))} end
  return {1, math.max(redis.call('PTTL', KEYS[1]), 1)}
end
local number = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], string.format('%020.0f', number) .. ':' .. epoch .. ':' .. ARGV[1], 'PX', ARGV[2])
return {0, number}
