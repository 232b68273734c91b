-- KEYS: lease
-- ARGV: number ":" holder
local lease = redis.call('GET', KEYS[1]) or ''
if string.sub(lease, 1, 21) .. string.sub(lease, 43) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return false
