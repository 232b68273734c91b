-- KEYS: epoch, index
-- ARGV: version
-- What frees memory comes first: Redis then does not refuse the rest for want of memory.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(0')
local epoch = redis.call('GET', KEYS[1]) or ''
if epoch < ARGV[1] then redis.call('SET', KEYS[1], ARGV[1]) end
return redis.call('ZRANGE', KEYS[2], 0, -1)
