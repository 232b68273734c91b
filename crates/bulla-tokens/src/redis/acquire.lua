-- KEYS: lease, number
-- ARGV: holder, lease ms, number ms
local lease = redis.call('GET', KEYS[1])
if lease then
  -- The same attempt asks again where its answer was lost.
  if string.sub(lease, 22) == ARGV[1] then return {0, tonumber(string.sub(lease, 1, 20))} end
  return {1, math.max(redis.call('PTTL', KEYS[1]), 1)}
end
local number = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], string.format('%020.0f', number) .. ':' .. ARGV[1], 'PX', ARGV[2])
return {0, number}
