#!lua flags=allow-oom
-- Delete keys that hold something of another type than they should: somebody has put it there. Then they count as deleted.
-- KEYS: keys...
-- ARGV: types...
-- Returns the keys that were deleted.
local deleted = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= ARGV[i] then
    redis.call('DEL', key)
    deleted[#deleted + 1] = key
  end
end
return deleted
