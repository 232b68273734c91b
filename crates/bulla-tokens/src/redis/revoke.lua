-- KEYS: epoch, index
-- ARGV: version, the highest epoch that is believed
-- What frees memory comes first: Redis then does not refuse the rest for want of memory. An index that is none must not keep the epoch down.
redis.pcall('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(0')
local epoch = redis.pcall('GET', KEYS[1])
if type(epoch) ~= 'string' or not string.match(epoch, '^%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d$') then epoch = '' end
if epoch < ARGV[1] or epoch > ARGV[2] then redis.call('SET', KEYS[1], ARGV[1]) end
return redis.call('ZRANGE', KEYS[2], 0, -1)
